"""`pole reconcile`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ingest.config import Config
    from ingest.ledger import Account, Status


def reconcile(
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Ingest's configuration. Without one: ingest.yaml, or the environment."),
    ] = None,
    broker: Annotated[str | None, typer.Option("--broker", help="Another user or broker, as mqtt://USER@HOST.")] = None,
    password_file: Annotated[Path | None, typer.Option("--password-file", help="That user's password.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """What every node produced, and what of it is stored, pending, dropped or lost."""
    import asyncio

    from ingest import config as configuration
    from ingest.errors import IngestError

    settings = configuration.load(configuration.meant(config))
    changed = {"broker": broker, "password_file": password_file and password_file.resolve()}
    settings = settings.with_changes({key: value for key, value in changed.items() if value is not None})
    try:
        accounts = asyncio.run(_accounts(settings))
    except IngestError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    print(_json(accounts) if json else _text(accounts))
    if any(account.lost for account in accounts):
        raise typer.Exit(1)


async def _accounts(config: "Config") -> "list[Account]":
    from ingest import ledger
    from ingest.store_url import open_store

    # First the statuses, then the ledger: what is stored in between can only make it more complete.
    statuses = await _statuses(config)
    store = open_store(config.store, token=config.secret("token_file"), folder=config.folder)
    try:
        return await ledger.reconcile(statuses, store)
    finally:
        await store.close()


async def _statuses(config: "Config") -> "dict[tuple[str, str], Status]":
    import os
    from dataclasses import replace

    from ingest.connection import retained
    from ingest.errors import BrokerGone
    from wire import messages, topics
    from wire.errors import WireError

    address = replace(config.address(), client_id=f"reconcile-{os.getpid()}")
    found: dict[tuple[str, str], Status] = {}
    try:
        heard = await retained(address, ["poles/+/+/up/status"])
    except BrokerGone as error:
        where = f"broker {address.host}:{address.port}"
        raise BrokerGone(f"{where}: {error}. The nodes' counts stand there, so it has to run") from error
    for topic, body in heard:
        try:
            area, node, _, _ = topics.parse(topic)
            found[area, node] = messages.decode(body, messages.STATUS)
        except WireError as error:
            print(f"{topic}: {error}", file=sys.stderr)
    return found


def _json(accounts: "list[Account]") -> str:
    import json
    from dataclasses import asdict

    return json.dumps({"lost": sum(account.lost for account in accounts), "nodes": [asdict(each) for each in accounts]})


def _text(accounts: "list[Account]") -> str:
    if not accounts:
        return "No node has sent a status, and the ledger is empty."
    lines = [
        f"{'node':<24} {'epoch':<8} {'produced':>9} {'stored':>9} {'pending':>8} {'dropped':>8} {'lost':>6}  verdict"
    ]
    for each in accounts:
        dropped = sum(each.dropped.values())
        lines.append(
            f"{each.area + '/' + each.node:<24} {each.epoch:<8} {each.produced:>9} {each.stored:>9} {each.pending:>8}"
            f" {dropped:>8} {each.lost:>6}  {each.verdict}"
        )
        produced = "?" if each.readings_produced is None else each.readings_produced
        lines.append(
            f"    readings: {produced} produced, {each.readings_stored} stored, {each.readings_refused} refused"
        )
        lines += [f"    dropped: {count} packs, {reason}" for reason, count in sorted(each.dropped.items()) if count]
        if each.gaps:
            lines.append(f"    not in the ledger: {_ranges(each.gaps)}")
    return "\n".join(lines)


def _ranges(ranges: list[list[int]]) -> str:
    shown = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges[:20])
    return shown + (f" and {len(ranges) - 20} more" if len(ranges) > 20 else "")
