"""What became of packs, by the nodes' own account, by the ledger in the store, and by ingest's dead letters.

account.json: {"nodes": {"P00017-node": {"ep", "head", "stored", "pending": [[first, last], …], "dropped": [[…]], "end":
"up" (or "dark", "offline", "down", "clock": what keeps it from sending when the run ends)}}}
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.accept import identity
from ingest.dead_letters import DeadLetters, Letter
from ingest.rows import Packs
from pole.fleet.judge import Became
from simulators.world.arrays import BoolArray, IntArray
from wire import packs, topics
from wire.errors import WireError

_NUMBER_BITS = 40

Refusals = dict[tuple[int, int, str, str], str]  # (pole, pack, device, point) -> reason; "", "": the whole pack


class AccountError(Exception):
    """A run's folder that cannot be judged; the message names the file."""


class Ranges:
    """Numbers of packs, by pole."""

    def __init__(self, ranges: Iterable[tuple[int, int, int]]) -> None:
        """ranges: (pole, first, last), those of one pole apart from each other."""
        ordered = np.array(sorted(ranges), dtype=np.int64).reshape(-1, 3)
        self._first = _key(ordered[:, 0], ordered[:, 1])
        self._last = _key(ordered[:, 0], ordered[:, 2])
        self._pole = ordered[:, 0]

    def have(self, poles: IntArray, numbers: IntArray) -> BoolArray:
        """Whether each pack is among them."""
        if not len(self._first):
            return np.zeros(len(poles), dtype=np.bool_)
        key = _key(poles, numbers)
        at = np.searchsorted(self._first, key, side="right") - 1
        out: BoolArray = (at >= 0) & (self._last[np.maximum(at, 0)] >= key)
        return out

    def count(self, poles: BoolArray) -> int:
        """How many packs they hold of these poles."""
        return int((self._last - self._first + 1)[poles[self._pole]].sum()) if len(self._pole) else 0


def _key(poles: IntArray, numbers: IntArray) -> IntArray:
    out: IntArray = (poles << _NUMBER_BITS) + numbers
    return out


@dataclass(frozen=True, kw_only=True)
class Fates:
    """heads: packs that each pole's node counted, -1 where no account tells. last_step: of the truth. ends: by pole."""

    ledger: Ranges
    pending: Ranges
    dropped: Ranges
    heads: IntArray
    last_step: int
    refusals: Refusals = field(default_factory=dict)
    ends: Mapping[int, str] = field(default_factory=dict)

    def why(self, poles: IntArray, numbers: IntArray, steps: IntArray) -> NDArray[np.uint8]:
        """Why packs are not in the store; what was refused of them is asked for reading by reading."""
        # A run that is told to stop ends in the middle of a step, whose truth is written down as a whole.
        cut = (steps == self.last_step) & (self.heads[poles] >= 0) & (numbers > self.heads[poles])
        out = np.full(len(poles), Became.LOST, dtype=np.uint8)
        out[cut] = Became.ENDED
        out[self.pending.have(poles, numbers)] = Became.PENDING
        out[self.dropped.have(poles, numbers)] = Became.DROPPED
        return out

    def stored(self, poles: IntArray, numbers: IntArray) -> BoolArray:
        """Whether packs were written, by the ledger; where no node tells of packs there was none to write it."""
        out: BoolArray = self.ledger.have(poles, numbers) | (self.heads[poles] < 0)
        return out

    def refused(self, pole: int, number: int, device: str, point: str) -> str:
        """The reason; empty where nobody refused it."""
        whole = self.refusals.get((pole, number, "", ""), "")
        return whole or self.refusals.get((pole, number, device, point), "")


@dataclass(frozen=True, kw_only=True)
class Account:
    """nodes: the account of each, by pole. Faults are sentences, each a reason to distrust the run."""

    nodes: Mapping[int, Mapping[str, Any]]
    faults: list[str]


def read(path: Path, *, names: Mapping[str, int], made: IntArray) -> Account:
    """names: node -> pole. made: packs of each pole, by the truth. Raises AccountError."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["nodes"]
        nodes = {names[name]: account for name, account in told.items() if name in names}
        faults = [f"{path.name} tells of {name}, which this run does not have" for name in told if name not in names]
        for pole, node in nodes.items():
            waiting, dropped = (sum(last - first + 1 for first, last in node[key]) for key in ("pending", "dropped"))
            if node["head"] != node["stored"] + waiting + dropped:
                faults.append(
                    f"P{pole + 1:05}-node: {node['head']} packs produced are not {node['stored']} stored"
                    f" + {waiting} pending + {dropped} dropped, by its own account"
                )
            if node["head"] > made[pole]:
                faults.append(f"P{pole + 1:05}-node counted {node['head']} packs, the truth has {made[pole]}")
    except OSError as error:
        raise AccountError(
            f"{path}: {error.strerror}. It is written at the end of a run: wait for it, or stop the run with Ctrl-C"
        ) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise AccountError(f"{path} is damaged: {type(error).__name__} {error}") from error
    return Account(nodes=nodes, faults=faults)


def told_ranges(account: Account, key: str) -> Ranges:
    """key: pending or dropped."""
    return Ranges((pole, first, last) for pole, node in account.nodes.items() for first, last in node[key])


def ledger(
    stored: Iterable[Packs], *, names: Mapping[str, int], account: Account, made: IntArray, columns: IntArray
) -> tuple[Ranges, list[str]]:
    """What of the ledger is this run's, and a sentence for each node of which it holds what was never produced.

    columns: readings of a pack, by pole. Other nodes (gateways, controllers) are left to those who know them.
    """
    out: list[tuple[int, int, int]] = []
    faults: list[str] = []
    for packs_ in stored:
        pole = names.get(packs_.node)
        if pole is None or not account.nodes:  # a backfill has no packs: these are of somebody who runs beside it
            continue
        node = account.nodes.get(pole)
        if node is None or packs_.epoch != node["ep"]:
            faults.append(f"{packs_.node}: packs of epoch {packs_.epoch} in the ledger, which the node does not have")
            continue
        out += [(pole, first, last) for first, last in packs_.ranges]
        count = sum(last - first + 1 for first, last in packs_.ranges)
        if packs_.ranges[-1][1] > made[pole]:
            faults.append(f"{packs_.node}: pack {packs_.ranges[-1][1]} in the ledger, and {made[pole]} were produced")
        if not packs_.refused and packs_.readings != count * columns[pole]:
            wanted = count * columns[pole]
            faults.append(f"{packs_.node}: {packs_.readings} readings in the ledger, its {count} packs have {wanted}")
    return Ranges(out), faults


def refusals(path: Path, *, names: Mapping[str, int], account: Account) -> Refusals:
    """What stands in the dead letters. Raises Unavailable."""
    if not path.exists():
        return {}
    letters = DeadLetters(path=path)
    try:
        out: Refusals = {}
        for letter in letters.all():
            out.update(_refused(letter, names, account))
        return out
    finally:
        letters.close()


def _refused(letter: Letter, names: Mapping[str, int], account: Account) -> Refusals:
    try:
        _, node, _, channel = topics.parse(letter.topic)
    except WireError:
        return {}
    epoch, number = identity(letter.body)
    pole = names.get(node)
    if pole is None or number is None or channel not in topics.PACK_CHANNELS:
        return {}
    if account.nodes.get(pole, {}).get("ep") != epoch:
        return {}
    if letter.refused[0].record is None:
        return {(pole, number, "", ""): letter.refused[0].reason}
    pack = packs.decode(letter.body)
    bad = {index for index, *_ in pack.refused}
    good = [index for index in range(len(pack.readings) + len(bad)) if index not in bad]
    known = dict(zip(good, pack.readings, strict=True))
    return {
        (pole, number, known[index][1], known[index][2]): reason
        for index, reason, _ in letter.refused
        if index is not None and index in known
    }
