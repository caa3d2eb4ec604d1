"""Which site is in force: the newest good one of what the site file said and what came by `down/config`.

A new one is judged before anything is touched; where it is bad, the one in force stays and the reason is told. What is
in force stands beside the spool (`last_good`), for a start with a bad site file or with none.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from device_profiles import problems
from device_profiles import site as sites
from device_profiles.problems import FileProblem
from device_profiles.site_model import Site
from gateway import bounds, last_good, needs
from gateway.last_good import LastGood
from wire import messages

log = structlog.get_logger("configuration")

WATCH_S = 0.5
SETTLED = 4  # an editor or a copy may write a file in parts: it is taken when it was the same at so many looks
SHA = 12  # hexadecimal digits; 48 bits tell a city's configurations apart
MAX_BYTES = messages.MAX_BYTES  # of what comes from the broker

Apply = Callable[[Site], Awaitable[None]]


def short_sha(content: bytes) -> str:
    """What a configuration is called in the status, in the log, and by `pole site push`."""
    return hashlib.sha256(content).hexdigest()[:SHA]


@dataclass(frozen=True)
class Offer:
    """A site that somebody wants to be in force. content: None for a file that cannot be read."""

    source: Literal["file", "broker"]
    content: bytes | None

    @property
    def told(self) -> dict[str, object]:
        return {"sha": short_sha(self.content or b""), "source": self.source}


class Configuration:
    """site: what is in force, for the gateway `node`. on_news() is called when what `status` gives has changed."""

    def __init__(self, *, path: Path, node: str | None = None) -> None:
        """Raises FileProblem where the file is bad and there is no good one of before."""
        self.on_news: Callable[[], None] = lambda: None
        self._path = path
        self._folder = path.parent
        self._wake = asyncio.Event()
        self._reload = False
        self._posted: Offer | None = None
        self._refused: dict[str, object] | None = None
        self._candidate: bytes | None = None
        self._looks = 0  # at the candidate
        self._looked = _content(path)
        try:
            self._own = self._start(self._looked, node)
            kept = last_good.read(self._spool)
        except FileProblem as problem:
            kept = self._fall_back(problem, node)
        self.site = self._own
        self._in_force = Offer("file", self._file)
        self._heard = kept.heard if kept else None  # sha of the latest that came from the broker
        self._judged_last = self._heard  # and of the latest that was judged: what is only heard is no memory to keep
        if kept and kept.file == self._file:
            self._go_on(kept)

    def status(self) -> dict[str, object]:
        """`config`, and `config_refused` while the newest offer is refused: as wire.messages.STATUS has them."""
        refused = {"config_refused": self._refused} if self._refused else {}
        return {"config": self._in_force.told, **refused}

    def reload(self) -> None:
        """The site file counts as new, as it stands now (SIGHUP)."""
        self._reload = True
        self._wake.set()

    def post(self, content: bytes, retained: bool) -> None:
        """A payload of down/config. One that is only told again, at a new connection, is nothing new."""
        sha = short_sha(content)
        if retained and sha == self._heard:
            return
        self._heard = sha
        self._posted = Offer("broker", content)
        self._wake.set()

    async def run(self, apply: Apply) -> None:
        """Until cancelled: each new site that is good goes to apply, one after the other."""
        await self._keep()
        loop = asyncio.get_running_loop()
        look_at = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(look_at):
                    await self._wake.wait()
            self._wake.clear()
            if self._reload or loop.time() >= look_at:
                look_at = loop.time() + WATCH_S
                if (offer := await self._from_file()) is not None:
                    await self._take(offer, apply)
            if (offer := self._posted) is not None:
                self._posted = None
                await self._take(self._withdrawn() if offer.content == b"" else offer, apply)

    @property
    def _spool(self) -> Path:
        spool = self._own.gateways[self.node].spool
        assert spool is not None
        return spool

    def _start(self, content: bytes | None, node: str | None) -> Site:
        site = self._read(Offer("file", content))
        self.node = choose(site, node)
        if missing := needs.missing(site, self.node):
            raise FileProblem(missing)
        self._file = content or b""
        return site

    def _fall_back(self, problem: FileProblem, node: str | None) -> LastGood:
        kept = last_good.find(self._folder, node)
        if kept is None:
            raise problem
        try:
            self._own = self._start(kept.file, kept.node)
        except FileProblem:
            raise problem from None
        log.error("the site file is refused: starting with the last good one", reason=problem.messages)
        # the file as it was: what was refused since is newer
        is_old = kept.looked == short_sha(self._looked or b"")
        self._refused = kept.refused if is_old and kept.refused else _refusal(Offer("file", self._looked), problem)
        return kept

    def _go_on(self, kept: LastGood) -> None:
        """The file is as it was: what came from the broker is newer, be it in force or refused."""
        if kept.refused and kept.refused["source"] == "broker" and not self._refused:
            self._refused = kept.refused
        if kept.broker is None:
            return
        offer = Offer("broker", kept.broker)
        try:
            self.site = self._judged(offer)
        except FileProblem as problem:
            self._refuse(offer, problem)
        else:
            self._in_force = offer

    async def _from_file(self) -> Offer | None:
        content = await asyncio.to_thread(_content, self._path)
        if not self._reload and not self._has_settled(content):
            return None
        self._reload, self._looks, self._looked = False, 0, content
        return Offer("file", content)

    def _has_settled(self, content: bytes | None) -> bool:
        if content == self._looked:
            self._looks = 0
            return False
        self._looks = self._looks + 1 if self._looks and content == self._candidate else 1
        self._candidate = content
        return self._looks >= SETTLED

    def _withdrawn(self) -> Offer:
        """Nothing is retained any more: back to the file as it was when it was good last."""
        self._heard = self._judged_last = None
        return Offer("file", self._file)

    async def _take(self, offer: Offer, apply: Apply) -> None:
        if offer.source == "broker":
            self._judged_last = short_sha(offer.content or b"")
        try:
            site = await asyncio.to_thread(self._judged, offer)
        except FileProblem as problem:
            self._refuse(offer, problem)
            await self._keep()
            self.on_news()
            return
        self.site, self._in_force, self._refused = site, offer, None
        if offer.source == "file":
            self._own, self._file = site, offer.content or b""
        await self._keep()
        await apply(site)
        log.info("configuration in force", **offer.told)
        self.on_news()

    def _judged(self, offer: Offer) -> Site:
        """Raises FileProblem."""
        site = self._read(offer)
        if self.node not in site.gateways:
            raise FileProblem(f"gateways: {self.node} is missing, and this is {self.node}.")
        found = bounds.needs_restart(site, self.site, self.node)
        if offer.source == "broker":
            found += bounds.overreach(site, self._own, self.node)
        if found := found or needs.missing(site, self.node):  # files that the broker may not name are not looked for
            raise FileProblem(found)
        return site

    def _read(self, offer: Offer) -> Site:
        if offer.content is None:
            problems.read_bytes(self._path)  # which says why it cannot be read
        content = offer.content or b""
        if offer.source == "broker" and len(content) > MAX_BYTES:
            raise FileProblem(f"down/config: at most {MAX_BYTES} bytes, not {len(content)}.")
        shown = self._path if offer.source == "file" else "down/config"
        return sites.parse(content, shown=shown, folder=self._folder)[0]

    def _refuse(self, offer: Offer, problem: FileProblem) -> None:
        self._refused = _refusal(offer, problem)
        log.error("configuration refused, the old one goes on", **offer.told, reason=problem.messages)

    async def _keep(self) -> None:
        broker = self._in_force.content if self._in_force.source == "broker" else None
        # made here and not in the thread, in whose time another may be heard
        kept = LastGood(
            node=self.node, file=self._file, broker=broker, heard=self._judged_last, refused=self._refused,
            looked=short_sha(self._looked or b""),
        )  # fmt: skip
        await asyncio.to_thread(last_good.write, self._spool, self._folder, kept)


def choose(site: Site, node: str | None) -> str:
    """The gateway that is meant. Raises FileProblem."""
    names = ", ".join(site.gateways)
    if not site.gateways:
        raise FileProblem(
            f"this site has no gateway; its controllers, {', '.join(site.controllers)}, run by themselves"
        )
    if node is None and len(site.gateways) > 1:
        raise FileProblem(f"this site has several gateways: say which with --node ({names})")
    if node is not None and node not in site.gateways:
        raise FileProblem(f"--node {node}: this site has no such gateway; it has {names}")
    return node or next(iter(site.gateways))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _refusal(offer: Offer, problem: FileProblem) -> dict[str, object]:
    more = f" (and {len(problem.messages) - 1} more)" if len(problem.messages) > 1 else ""
    reason = problem.messages[0][: messages.MAX_TEXT - len(more)] + more
    return {**offer.told, "reason": reason, "time": time.time_ns() // 1_000_000}
