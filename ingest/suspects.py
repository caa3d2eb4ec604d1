"""The pack that a worker was at when it died: noted down by careful workers, set aside by who watches them.

What was set aside once is taken by no worker again: it is acknowledged, and its node may forget it.
"""

import hashlib
import re
from pathlib import Path

from ingest.accept import Accepted, Refusal
from ingest.dead_letters import DeadLetters

REASON = "crash"
_EPOCH, _NUMBER = re.compile(rb'"ep" *: *"([0-9a-f]{8})"'), re.compile(rb'"sq" *: *([0-9]{1,16})')


class Suspects:
    """Of one worker. careful: each message is noted down before it is looked at."""

    def __init__(self, *, folder: Path, number: int, careful: bool) -> None:
        self._known = folder / "crashes"
        self._note = _note(folder, number) if careful else None
        self._skipped: set[str] = set()
        self._seen = 0
        self.look()

    def look(self) -> None:
        """Learns what was set aside since: a few bytes, now and then."""
        try:
            changed = self._known.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed != self._seen:
            self._seen = changed
            self._skipped = set(self._known.read_text(encoding="ascii").split())

    def refused(self, area: str, node: str, topic: str, body: bytes) -> Accepted | None:
        """What becomes of a message that workers died of; None for all others, which are noted down by the careful."""
        if self._skipped and digest(body) in self._skipped:
            epoch, number = _EPOCH.search(body[:500]), _NUMBER.search(body[:500])
            told = Refusal(None, REASON, "workers ended while they looked at it")
            return Accepted(
                area, node, epoch[1].decode() if epoch else None, int(number[1]) if number else None, refused=[told]
            )
        if self._note is not None:
            self._note.write_bytes(topic.encode() + b"\n" + body)
        return None


def set_aside(folder: Path, number: int, letters: DeadLetters) -> str:
    """Keeps what a careful worker was at as a dead letter, and tells all workers. Its topic; empty where there is none.

    Raises Unavailable.
    """
    note = _note(folder, number)
    if not note.exists():
        return ""
    topic, _, body = note.read_bytes().partition(b"\n")
    letters.keep([(topic.decode(), body, [Refusal(None, REASON, "workers ended while they looked at it")])])
    with (folder / "crashes").open("a", encoding="ascii") as known:
        known.write(digest(body) + "\n")
    note.unlink()
    return topic.decode()


def digest(body: bytes) -> str:
    """What a pack is known by."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _note(folder: Path, number: int) -> Path:
    return folder / f"suspect-{number}"
