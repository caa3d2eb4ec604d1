"""A release goes to the nodes of an area, wave by wave: what they say IN, what to offer and withdraw OUT.

No clock and no broker in here: `now` is seconds of any clock that only goes forward. All that is known of a node comes
from its status, so a rollout that is begun again goes on where the nodes are.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wire import releases
from wire.errors import WireError

TRIES = 3  # edge/guard.py: starts that a release has to prove itself
STALE_S = 5.0  # so long after an offer a node may still say what it said of the one before
STAGES = ("waiting", "offered", "fetching", "starting", "trial", "watched", "proved", "failed")
UNDER_WAY = ("offered", "fetching", "starting", "trial", "watched")
Action = tuple[str, str]  # "offer", "withdraw" or "renew", and the node


@dataclass(frozen=True)
class Plan:
    """canary, wave: a share of all nodes (a float), or how many (an integer). watch, patience: seconds."""

    version: str
    board: str
    sha: str
    size: int
    trial: int
    canary: float | int
    wave: float | int
    watch: float
    patience: float
    again: bool = False
    skip: frozenset[str] = frozenset()

    def count(self, share: float | int, total: int) -> int:
        return share if isinstance(share, int) else max(1, math.ceil(share * total - 1e-9))


@dataclass
class Node:
    """since: when its stage began, or last moved on. asked: offset of the last fetch. stored: packs when it settled."""

    name: str
    status: dict[str, Any]
    stage: str = "waiting"
    since: float = 0.0
    settled: float = 0.0
    stored: int = 0
    asked: int = -1
    refused: str = ""
    why: str = ""

    @property
    def state(self) -> str:
        return str(self.status["release"].get("state"))


@dataclass
class Rollout:
    """nodes: those that shall have the release. done: had it before; away, newer, skipped: are left out."""

    plan: Plan
    nodes: dict[str, Node] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    newer: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    others: int = 0
    wave: int = 0

    def begin(self, statuses: Mapping[str, dict[str, Any]], now: float) -> None:
        """What each node last said of itself. Nodes that never spoke of releases are none of ours."""
        for name in sorted(statuses, key=self._lot):
            status = statuses[name]
            about = status.get("release")
            if not about or about.get("board") != self.plan.board:
                self.others += 1
            elif name in self.plan.skip:
                self.skipped.append(name)
            elif _order(status["version"]) > _order(self.plan.version):
                self.newer.append(name)
            elif status["version"] == self.plan.version and about.get("state") == "settled":
                self.done.append(name)
            elif not status["online"]:
                self.away.append(name)
            else:
                self.nodes[name] = node = Node(name, status, since=now)
                if status["version"] == self.plan.version:
                    node.stage = "trial"
                elif self._has_failed(status) and not self.plan.again:
                    self._fail(
                        node, f"came back to {status['version']} in an earlier attempt; --again tries it once more"
                    )

    def status(self, name: str, status: dict[str, Any], now: float) -> None:
        """A node spoke. One that was away joins those that wait."""
        if name in self.away and status["online"]:
            self.away.remove(name)
            self.nodes[name] = Node(name, status, since=now)
        node = self.nodes.get(name)
        if node is None or not status.get("release"):
            return
        node.status = status
        if not status["online"] or node.stage not in UNDER_WAY:
            return
        there = status["version"] == self.plan.version
        refusal = self._refusal(status)
        if refusal == node.refused and node.stage == "offered" and now - node.since < STALE_S:
            refusal = ""
        if there and node.state == "trial" and node.stage != "trial":
            self._move(node, "trial", now)
        elif there and node.state == "settled" and node.stage != "watched":
            node.settled, node.stored = now, status["stored"]
            self._move(node, "watched", now)
        elif not there and refusal:
            self._fail(node, refusal)
        elif not there and node.stage in ("trial", "watched"):
            self._fail(node, f"runs {status['version']} again")

    def fetch(self, name: str, fetch: dict[str, Any], now: float) -> bool:
        """A node asks for a chunk. False: it is not to be answered."""
        node = self.nodes.get(name)
        if node is None or fetch["sha"] != self.plan.sha or self.stopped or fetch["offset"] >= self.plan.size:
            return False
        if node.stage not in ("waiting", "offered", "fetching", "starting"):
            return False
        # one that waits still has the offer of an earlier attempt
        if node.stage != "fetching" or fetch["offset"] != node.asked:
            self._move(node, "fetching", now)
        node.asked = fetch["offset"]
        if node.asked + fetch["length"] >= self.plan.size:
            self._move(node, "starting", now)
        return True

    def step(self, now: float) -> Iterator[Action]:
        """What is to be done now; to be called every second or so."""
        for node in self._in(*UNDER_WAY):
            if self._has_left(node, now):
                self._leave_out(node)
                yield "withdraw", node.name
            else:
                self._look(node, now)
        if self.stopped:
            yield from self.withdraw("offered", "fetching")
            return
        for node in self._in("watched"):
            grown = node.status["stored"] > node.stored
            if now - node.settled >= self.plan.watch and grown and node.status["online"]:
                self._move(node, "proved", now)
                yield "withdraw", node.name
        if self.finished or self._in(*UNDER_WAY):
            return
        yield from self._next_wave(now)

    def withdraw(self, *stages: str) -> Iterator[Action]:
        """Those that have got no further are offered nothing any more."""
        for node in self._in(*stages):
            node.stage = "waiting"
            yield "withdraw", node.name

    @property
    def stopped(self) -> bool:
        return bool(self._in("failed"))

    @property
    def finished(self) -> bool:
        """Every node that is there has proved itself on it."""
        return all(node.stage == "proved" for node in self.nodes.values())

    def counts(self) -> dict[str, int]:
        """How many nodes are in which stage, without the stages that nobody is in."""
        found = [node.stage for node in self.nodes.values()]
        return {stage: found.count(stage) for stage in STAGES if stage in found}

    def names(self, *stages: str) -> list[str]:
        return sorted(node.name for node in self._in(*stages))

    def _next_wave(self, now: float) -> Iterator[Action]:
        plan, total = self.plan, len(self.nodes) + len(self.done)
        here = len(self.done) + len(self._in("proved"))
        first = plan.count(plan.canary, total)
        chosen = [node for node in self._in("waiting") if node.status["online"]]
        if not chosen:  # they have gone meanwhile
            for node in self._in("waiting"):
                self._leave_out(node)
            return
        self.wave += 1
        for node in chosen[: first - here if here < first else plan.count(plan.wave, total)]:
            node.refused = self._refusal(node.status)
            self._move(node, "offered", now)
            yield "renew" if plan.again and self._has_failed(node.status) else "offer", node.name

    def _has_left(self, node: Node, now: float) -> bool:
        """It went before it had the release, which cannot be to blame: a lamp circuit is off by day."""
        silent = now - node.since > self.plan.patience
        return silent and node.stage in ("offered", "fetching") and not node.status["online"]

    def _leave_out(self, node: Node) -> None:
        self.away.append(node.name)
        del self.nodes[node.name]

    def _look(self, node: Node, now: float) -> None:
        plan = self.plan
        silent = now - node.since > plan.patience
        if node.stage == "offered" and silent:
            self._fail(node, f"has not begun to fetch in {plan.patience:g} s")
        elif node.stage == "fetching" and silent:
            self._fail(node, f"stopped fetching at {node.asked} of {plan.size} bytes")
        elif node.stage in ("starting", "trial") and now - node.since > plan.patience + TRIES * plan.trial:
            self._fail(node, "did not come back" if not node.status["online"] else "was not confirmed")
        elif node.stage == "watched" and now - node.settled > plan.watch + plan.patience:
            what = "nothing of it is stored since" if node.status["online"] else "was lost again"
            self._fail(node, f"runs {plan.version}, but {what}")

    def _refusal(self, status: dict[str, Any]) -> str:
        """Why it does not take this release; empty: no refusal, or of another release."""
        refused = status.get("release_refused") or {}
        if refused.get("version") not in (self.plan.version, ""):
            return ""
        reason = str(refused.get("reason", ""))
        return f"came back to {status['version']}" if reason == "failed" else f"refuses it: {reason}" if reason else ""

    def _has_failed(self, status: dict[str, Any]) -> bool:
        refused = status.get("release_refused") or {}
        return refused.get("version") == self.plan.version and refused.get("reason") == "failed"

    def _in(self, *stages: str) -> list[Node]:
        return [node for node in self.nodes.values() if node.stage in stages]

    def _move(self, node: Node, stage: str, now: float) -> None:
        node.stage, node.since = stage, now

    def _fail(self, node: Node, why: str) -> None:
        node.stage, node.why = "failed", why

    def _lot(self, name: str) -> bytes:
        # the same order at each attempt, and none that favours one street
        return hashlib.sha256(f"{self.plan.version} {name}".encode()).digest()


def _order(version: object) -> list[int]:
    try:
        return releases.order(str(version))
    except WireError:
        return [0, 0, 0]  # of no release: a development's
