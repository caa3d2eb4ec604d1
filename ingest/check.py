"""Whether ingest could work with a configuration: each part is tried, and nothing is stored or taken away."""

import asyncio
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable
from dataclasses import asdict, dataclass, replace

from device_profiles.problems import FileProblem
from ingest import isolate
from ingest.config import Config, check_file
from ingest.connection import probe
from ingest.dead_letters import DeadLetters
from ingest.errors import IngestError
from ingest.http import taken
from ingest.registry import Node, Registry
from ingest.service import SET_AFTER_MS, filters
from ingest.store_url import open_store
from wire import stored, topics

ASK_S = 3.0


@dataclass(frozen=True)
class Finding:
    """text: what was found, or what is wrong and what to do."""

    part: str
    ok: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok   ' if self.ok else 'WRONG'}  {self.part}: {self.text}"


class _Wrong(Exception):
    pass


async def check(config: Config) -> AsyncIterator[Finding]:
    """One finding a part, as it is tried."""
    for part, work in (
        ("clock", _clock),
        ("broker", _broker),
        ("store", _store),
        ("dead letters", _letters),
        ("births", _births),
        ("inventory", _inventory),
        ("http", _http),
    ):
        if (part != "inventory" or config.inventory) and (part != "births" or config.registries):
            yield await _tried(part, work(config))


async def _tried(part: str, work: Awaitable[str]) -> Finding:
    try:
        return Finding(part, True, await work)
    except (_Wrong, IngestError, FileProblem) as error:
        return Finding(part, False, str(error).removeprefix(f"{part}: "))


async def _clock(_config: Config) -> str:
    if time.time_ns() // 1_000_000 < SET_AFTER_MS:
        raise _Wrong("it was never set: set it, or start NTP")
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())


async def _broker(config: Config) -> str:
    # Under a name of its own: the client id of one that runs would take its session away.
    address = config.address()
    own = replace(address, client_id=f"{address.client_id[:40]}-check")
    nobody = topics.down("check", "check", "stored")  # hears it: no node has this name
    await probe(own, filters(shared=False), topic=nobody, body=stored.encode("00000000", [[1, 1]]))
    return f"{address.host}:{address.port} takes us as {address.user or 'a client without a name'}"


async def _store(config: Config) -> str:
    if (file := config.store_file) is not None:
        check_file("store", file, "readings.db")
        if not file.exists():
            return f"SQLite {file} will be made"  # and is not now: it belongs to the user who runs ingest
    store = open_store(config.store, token=config.secret("token_file"), folder=config.folder)
    try:
        await isolate.write(store, [], time.time_ns() // 1_000_000)
    finally:
        await store.close()
    return f"{store.name} answers"


async def _letters(config: Config) -> str:
    config.check_places()
    path = config.path(config.dead_letters)
    if not path.exists():
        return f"{path} will be made"
    letters = DeadLetters(path=path, megabytes=config.dead_letter_megabytes)
    try:
        await asyncio.to_thread(letters.keep, [])
    finally:
        letters.close()
    return f"{path} can be written"


async def _births(config: Config) -> str:
    nodes: set[Node] = set()
    for path in config.registries:
        registry = await asyncio.to_thread(Registry, path=path, owners=config.owners)
        nodes.update(registry.nodes())
        registry.close()
    return f"{len(nodes)} nodes are known"


async def _inventory(config: Config) -> str:
    sites = await asyncio.to_thread(config.sites)
    return "there is none" if sites is None else f"it names {len(sites)} devices"


async def _http(config: Config) -> str:
    host, _, port = config.http.rpartition(":")
    try:
        family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        with socket.create_server((host.strip("[]"), int(port)), family=family):
            return f"{config.http} is free"
    except OSError as error:
        running = await asyncio.to_thread(_running, config.http)
        if running is None:
            raise _Wrong(taken(config.http, error)) from error
        return f"an ingest runs at {config.http}: {running}"


def _running(address: str) -> str | None:
    """What an ingest that runs there says of itself."""
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=ASK_S) as answer:
            told = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        told = _json(error.read())
    except (OSError, ValueError):
        return None
    return "; ".join(told["waiting_for"]) or str(told["status"]) if "waiting_for" in told else None


def _json(body: bytes) -> dict[str, list[str]]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def as_json(findings: list[Finding]) -> str:
    """{"ok": …, "parts": [{"part", "ok", "text"}]}."""
    ok = all(finding.ok for finding in findings)
    return json.dumps({"ok": ok, "parts": [asdict(finding) for finding in findings]}, ensure_ascii=False)
