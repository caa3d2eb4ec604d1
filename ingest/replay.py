"""Reads, replays and deletes dead letters, on the files, while ingest may run."""

import json
import time
from dataclasses import asdict, dataclass

from ingest import isolate, replay_lock
from ingest.accept import Accepted, accept
from ingest.config import Config
from ingest.dead_letters import DeadLetters, Letter
from ingest.errors import IngestError
from ingest.registry import Registry
from ingest.store_url import open_store
from ingest.stores import Store
from wire import topics
from wire.errors import TopicError


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many letters were tried, are gone, and are still kept; and how many readings were stored."""

    tried: int
    gone: int
    kept: int
    readings: int

    def __str__(self) -> str:
        return f"{self.tried} tried: {self.gone} stored and gone, {self.kept} kept; {self.readings} readings stored"

    def json(self) -> str:
        return json.dumps(asdict(self))


async def lines(config: Config, as_json: bool) -> list[str]:
    """A line for each letter. Raises IngestError."""
    return [_json(letter) if as_json else _text(letter) for letter in _letters(config).all()]


async def delete(config: Config, ids: list[int] | None) -> int:
    """Deletes the letters of these ids; how many there were. Raises IngestError."""
    letters = _letters(config)
    chosen = _chosen(letters.all(), ids)
    letters.replace([(letter, []) for letter in chosen])
    return len(chosen)


async def replay(config: Config, ids: list[int] | None) -> Outcome:
    """Judges and stores letters again: all, or those of ids. Raises IngestError."""
    with replay_lock.taken(config.replay_lock) as taken:
        if not taken:
            raise IngestError("ingest replays dead letters at this moment: try again")
        return await _replay(config, ids)


async def _replay(config: Config, ids: list[int] | None) -> Outcome:
    letters = _letters(config)
    chosen = _chosen(letters.all(), ids)
    store = open_store(config.store, token=config.secret("token_file"), folder=config.folder)
    sites = config.sites()
    registries = [Registry(path=path, owners=config.owners, sites=sites) for path in config.registries]
    try:
        packs = [await _again(letter, registries, store) for letter in chosen]
        judged = zip(chosen, packs, strict=True)
        letters.replace([(letter, pack.refused) for letter, pack in judged if pack is not None])
    finally:
        for registry in registries:
            registry.close()
        await store.close()
    gone = sum(pack is not None and not pack.refused for pack in packs)
    readings = sum(pack.readings for pack in packs if pack is not None)
    return Outcome(tried=len(chosen), gone=gone, kept=len(chosen) - gone, readings=readings)


async def _again(letter: Letter, registries: list[Registry], store: Store) -> Accepted | None:
    # None for what is no pack: a birth or a status is sent again by its node.
    try:
        area, node, _, channel = topics.parse(letter.topic)
    except TopicError:
        return None
    if channel not in topics.PACK_CHANNELS:
        return None
    now_ms = time.time_ns() // 1_000_000
    known = (registry.devices(area, node) for registry in registries)  # each worker has its own
    pack = accept(area, node, letter.body, next(filter(None, known), {}), now_ms)
    await isolate.write(store, [pack], now_ms)
    return pack


def _letters(config: Config) -> DeadLetters:
    path = config.path(config.dead_letters)
    if not path.exists() and not config.registries:
        raise IngestError(f"{path} is not there: ingest has not run with this configuration yet")
    return DeadLetters(path=path)


def _chosen(letters: list[Letter], ids: list[int] | None) -> list[Letter]:
    missing = set(ids or []) - {letter.id for letter in letters}
    if missing:
        raise IngestError(f"no dead letter has the id {', '.join(map(str, sorted(missing)))}; `list` shows all")
    return [letter for letter in letters if not ids or letter.id in ids]


def _json(letter: Letter) -> str:
    told = letter._asdict()
    told["body"] = letter.body.decode(errors="replace")
    told["refused"] = [refusal._asdict() for refusal in letter.refused]
    return json.dumps(told)


def _text(letter: Letter) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter.last_ms / 1000))
    record, reason, detail = letter.refused[0]
    where = "whole" if record is None else f"{len(letter.refused)} records"
    return f"{letter.id:>6}  {when}  {letter.times}x  {letter.topic}  {where}  {reason}: {detail}"
