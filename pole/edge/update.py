"""`pole edge update`: rolls a release out over an area, wave by wave, and stops when nodes do not come back."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import aiomqtt

    from pole.edge.release import Release
    from pole.edge.rollout import Action, Plan, Rollout

STATUSES_S = 1.0  # retained ones come right after the subscription; after so long without one there are no more
CONNECT_S = 10.0
STEP_S = 0.5
CHUNKS_A_SECOND = 400  # of half a kilobyte, to all nodes together
BACKOFF_S = (1.0, 30.0)
EXITS = {"done": 0, "stopped": 1, "nothing to do": 0, "nodes are away": 3, "interrupted": 130}


class _Hopeless(Exception):
    """Nothing was begun. str() says why and what to do."""


def update(
    area: Annotated[str, typer.Argument(help="the area, as in the site files")],
    release: Annotated[Path, typer.Option("--release", help="the file that `pole edge release` made")],
    canary: Annotated[str, typer.Option("--canary", help="how many nodes go first: a share, or a number")] = "5%",
    wave: Annotated[str, typer.Option("--wave", help="how many follow at a time, once the ones before work")] = "25%",
    watch: Annotated[str, typer.Option("--watch", help="how long a wave is watched before the next one")] = "10m",
    patience: Annotated[str, typer.Option("--patience", help="how long a node may take for its next step")] = "15m",
    skip: Annotated[list[str] | None, typer.Option("--skip", metavar="NODE", help="leave this node out")] = None,
    again: Annotated[bool, typer.Option("--again", help="also where this release has failed before")] = False,
    broker: Annotated[
        str | None,
        typer.Option("--broker", help="mqtt://user@host:port; else in POLE_BROKER, or the broker of this machine"),
    ] = None,
    password_file: Annotated[Path | None, typer.Option("--password-file", help="the user's password, one line")] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="mqtts: who vouches for the broker")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document at the end, and no progress")] = False,
) -> None:
    """Roll a release out: canaries first, then wave by wave. Stops at the first node that does not come back with it.

    Exits 0 when all nodes have it, 1 when it stopped, 3 when some are away, 130 after Ctrl-C. Run it again to go on.
    """
    import os

    from pole import address, signals
    from pole.edge import release as releases
    from pole.edge import rollout_view
    from pole.edge.rollout import Rollout
    from wire import topics

    try:
        topics.up(area, "any", "status")
        made = releases.read(release)
        plan = _plan(made, canary, wave, watch, patience, again, skip or [])
        url = broker or os.environ.get("POLE_BROKER") or address.LOCAL
        reach = address.options(broker=url, password_file=password_file, ca=ca)
        roll = _Roll(area=area, release=made, rollout=Rollout(plan), quiet=as_json)
        ended = signals.run_stoppable(roll.run(reach))
    except (_Hopeless, releases.ReleaseError, ValueError, OSError) as error:
        print(json.dumps({"state": "not begun", "reason": str(error)}) if as_json else error, file=sys.stderr)
        sys.exit(1)
    said = rollout_view.summary(roll.rollout, interrupted=ended is None)
    print(json.dumps(said, ensure_ascii=False) if as_json else rollout_view.text(said))
    sys.exit(EXITS[str(said["state"])])


def share(option: str, words: str) -> float | int:
    """ "5%" -> 0.05, "3" -> the integer 3; at least something. Raises ValueError."""
    number = words.removesuffix("%")
    if not number.isdigit() or not int(number) or (number != words and int(number) > 100):
        raise ValueError(f"{option}: {words!r} is no share and no number of nodes: write 5%, or 3")
    return int(number) if number == words else int(number) / 100


def _plan(
    release: "Release", canary: str, wave: str, watch: str, patience: str, again: bool, skip: Iterable[str]
) -> "Plan":
    from device_profiles.schema import seconds
    from pole.edge.rollout import Plan

    return Plan(
        version=release.version, board=release.board, sha=release.digest.hex()[:8], size=len(release.blob),
        trial=int(str(release.manifest["trial"])), canary=share("--canary", canary), wave=share("--wave", wave),
        watch=seconds(watch), patience=seconds(patience), again=again, skip=frozenset(skip),
    )  # fmt: skip


class _Roll:
    """The broker's side of a rollout. A broker that is lost is waited for: the nodes go on meanwhile."""

    def __init__(self, *, area: str, release: "Release", rollout: "Rollout", quiet: bool) -> None:
        from pole.edge import rollout_view

        self.rollout = rollout
        self._area = area
        self._release = release
        self._asked: dict[str, dict[str, Any]] = {}  # the last fetch of each node: bounded by their number
        self._something = asyncio.Event()
        self._show = rollout_view.Progress(quiet=quiet)

    async def run(self, reach: dict[str, Any]) -> bool:
        """Until all is done, or it has stopped. Raises _Hopeless when the broker is not reached in the first place."""
        import aiomqtt

        from wire.backoff import Backoff

        backoff, begun = Backoff(first=BACKOFF_S[0], most=BACKOFF_S[1]), False
        while True:
            try:
                async with aiomqtt.Client(**reach, protocol=aiomqtt.ProtocolVersion.V5, timeout=CONNECT_S) as client:
                    statuses = await self._statuses(client)
                    self._heard(statuses, begun)
                    begun = True
                    backoff.reset()
                    await self._serve(client)
                    return True
            except aiomqtt.MqttError as error:
                where = f"broker {reach['hostname']}:{reach['port']}: {error}"
                if not begun:
                    raise _Hopeless(f"{where}; check --broker, the user and --password-file") from None
                self._show.line(f"{where}; the nodes go on with what they have, and so does this when it is back")
                await asyncio.sleep(backoff.next())

    def _heard(self, statuses: dict[str, dict[str, Any]], begun: bool) -> None:
        now = time.monotonic()
        if begun:
            for name, status in statuses.items():
                self.rollout.status(name, status, now)
            return
        if not statuses:
            raise _Hopeless(
                f"no node of area {self._area} has ever spoken on this broker: "
                "check the area, --broker and the user's rights"
            )
        self.rollout.begin(statuses, now)
        self._show.begin(self.rollout)

    async def _statuses(self, client: "aiomqtt.Client") -> dict[str, dict[str, Any]]:
        from wire import topics

        every = f"{topics.ROOT}/{self._area}/+/up/"
        # a fetch needs no more: it is sent again, and an acknowledgement would hold up the answer by TCP's 40 ms
        await client.subscribe([(every + "status", 1), (every + "fetch", 0)])
        found: dict[str, dict[str, Any]] = {}
        stream, loop = aiter(client.messages), asyncio.get_running_loop()
        until = loop.time() + STATUSES_S
        while True:
            try:
                async with asyncio.timeout_at(until):
                    heard = await anext(stream)
            except TimeoutError:
                return found
            if heard.retain:  # others are news of those that are there, and never end
                until = loop.time() + STATUSES_S
            name, channel, message = _message(str(heard.topic), bytes(heard.payload or b""))
            if channel == "status" and message:
                found[name] = message

    async def _serve(self, client: "aiomqtt.Client") -> None:
        tasks = [asyncio.create_task(work(client)) for work in (self._listen, self._answer, self._step)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            await self._do(client, self.rollout.withdraw("offered"))
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, client: "aiomqtt.Client") -> None:
        async for heard in client.messages:
            name, channel, message = _message(str(heard.topic), bytes(heard.payload or b""))
            now = time.monotonic()
            if channel == "status" and message:
                self.rollout.status(name, message, now)
            elif channel == "fetch" and message and self.rollout.fetch(name, message, now):
                self._asked[name] = message
                self._something.set()

    async def _answer(self, client: "aiomqtt.Client") -> None:
        from wire import releases, topics

        while True:
            await self._something.wait()
            self._something.clear()
            while self._asked:
                name = next(iter(self._asked))
                fetch = self._asked.pop(name)
                data = self._release.blob[fetch["offset"] : fetch["offset"] + fetch["length"]]
                chunk = releases.encode_chunk(self._release.digest, fetch["offset"], data)
                await client.publish(topics.down(self._area, name, "chunk"), chunk, qos=0)
                await asyncio.sleep(1 / CHUNKS_A_SECOND)

    async def _step(self, client: "aiomqtt.Client") -> None:
        while True:
            await self._do(client, self.rollout.step(time.monotonic()))
            self._show.now(self.rollout)
            if self.rollout.stopped or self.rollout.finished:
                return
            await asyncio.sleep(STEP_S)

    async def _do(self, client: "aiomqtt.Client", actions: Iterable["Action"]) -> None:
        from wire import topics

        for what, name in list(actions):
            topic = topics.down(self._area, name, "release")
            if what in ("withdraw", "renew"):
                await client.publish(topic, b"", qos=1, retain=True)
            if what in ("offer", "renew"):
                await client.publish(topic, self._release.payload, qos=1, retain=True)


def _message(topic: str, body: bytes) -> tuple[str, str, dict[str, Any] | None]:
    """(node, channel, what it says); None: a defect of that node, which must not keep the others from their release."""
    from wire import messages, releases, topics
    from wire.errors import WireError

    try:
        _, name, _, channel = topics.parse(topic)
        decode: Callable[[bytes], dict[str, Any]] = (
            releases.decode_fetch if channel == "fetch" else lambda body: messages.decode(body, messages.STATUS)
        )
        return name, channel, decode(body)
    except WireError:
        return "", "", None
