"""What a person, or a program, is told of a rollout."""

import sys
import time
from typing import Any

from pole.edge.rollout import UNDER_WAY, Rollout

SHOWN_S = 30.0  # how often it says that nothing has changed


def summary(rollout: Rollout, *, interrupted: bool) -> dict[str, object]:
    """What became of it, by node."""
    plan = rollout.plan
    proved = rollout.names("proved")
    state = (
        "interrupted" if interrupted else "stopped" if rollout.stopped else "nodes are away" if rollout.away
        else "done" if proved else "nothing to do"
    )  # fmt: skip
    return {
        "state": state, "version": plan.version, "board": plan.board, "waves": rollout.wave, "updated": proved,
        "failed": {node.name: node.why for node in rollout.nodes.values() if node.stage == "failed"},
        "under_way": rollout.names(*UNDER_WAY), "not_begun": rollout.names("waiting"),
        "had_it": sorted(rollout.done), "away": sorted(rollout.away),
        "newer": sorted(rollout.newer), "skipped": sorted(rollout.skipped),
    }  # fmt: skip


def text(said: dict[str, Any]) -> str:
    """The summary for a person, and what to do next."""
    lines = [f"{name}: {why}" for name, why in said["failed"].items()]
    for label, words in (
        ("updated", f"now with {said['version']}"), ("had_it", "had it before"),
        ("under_way", "under way, and go on by themselves as far as they have it"),
        ("not_begun", "not begun, and offered nothing"),
        ("away", "away; run this again when they are back"),
        ("newer", "left alone with a later version"), ("skipped", "skipped"),
    ):  # fmt: skip
        names = said[label]
        if names:
            shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
            lines.append(f"{words} ({len(names)}): {shown}")
    if said["state"] == "stopped":
        lines.append("stopped: find out what is wrong with them, then run this again, with --skip or --again for these")
    elif said["state"] == "interrupted":
        lines.append("interrupted: run this again to go on")
    elif not lines:
        lines.append(f"no node with board {said['board']} is there")
    return "\n".join(lines)


class Progress:
    """On the error output: what has changed, and now and then that nothing has."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._last: tuple[int, dict[str, int]] | None = None
        self._at = 0.0

    def line(self, words: str) -> None:
        if not self._quiet:
            print(words, file=sys.stderr, flush=True)

    def begin(self, rollout: Rollout) -> None:
        plan = rollout.plan
        left_out = len(rollout.away) + len(rollout.newer) + len(rollout.skipped)
        self.line(
            f"{plan.version} for {plan.board}: {len(rollout.nodes)} nodes to update, {len(rollout.done)} have it, "
            f"{left_out} left out, {rollout.others} are something else"
        )

    def now(self, rollout: Rollout) -> None:
        counts, now = rollout.counts(), time.monotonic()
        if (rollout.wave, counts) != self._last or now - self._at > SHOWN_S:
            self._last, self._at = (rollout.wave, counts), now
            self.line(f"wave {rollout.wave}: " + ", ".join(f"{count} {stage}" for stage, count in counts.items()))
