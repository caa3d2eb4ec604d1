"""`pole send`: tell a device to do something, and wait until it says what became of it."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import aiomqtt

FINAL = ("done", "rejected", "failed", "expired")
BIRTHS_S = 1.0  # retained births come right after the subscription; after so long without one there are no more
CONNECT_S = 10.0
ACCEPTED_S = 45.0  # a device that was told may take so long: a charger's session begins when the car agrees

Found = dict[tuple[str, str], str]  # (pole, device) -> "area/node"


class _Hopeless(Exception):
    """Nothing was sent, or nothing came back. str() says why and what to do."""


def send(
    pole: Annotated[str, typer.Argument(help="the pole, as in the site file")],
    device: Annotated[str, typer.Argument(help="the device on it")],
    action: Annotated[str, typer.Argument(help="one of the profile's commands")],
    args: Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="as in level=40")] = None,
    site: Annotated[
        Path | None,
        typer.Option("--site", help="the site file: it names the broker, and operator.password beside it is read"),
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option(
            "--broker", help="mqtt://user@host:port; else as in --site, in POLE_BROKER, or the broker of this machine"
        ),
    ] = None,
    password_file: Annotated[Path | None, typer.Option("--password-file", help="the user's password, one line")] = None,
    ca: Annotated[
        Path | None, typer.Option("--ca", help="mqtts: who vouches for the broker; the system's own where left out")
    ] = None,
    expires: Annotated[str, typer.Option("--expires", help="nothing is done after this time, as in 30s or 5m")] = "30s",
    command_id: Annotated[
        str | None, typer.Option("--id", help="the same id is never carried out twice; made up where left out")
    ] = None,
    wait: Annotated[str, typer.Option("--wait", help="how long to wait for each reply")] = "10s",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line for each reply")] = False,
) -> None:
    """Send a command to a device and show what becomes of it. Exits 0 only when it is done."""
    import uuid

    from device_profiles.schema import seconds
    from pole import address

    try:
        message: dict[str, object] = {
            "id": command_id or uuid.uuid4().hex,
            "pole": pole,
            "device": device,
            "action": action,
            "args": dict(_argument(text) for text in args or []),
        }
        lifetime, patience = seconds(expires), seconds(wait)
        reach = address.client_options(
            pole=pole, device=device, broker=broker, password_file=password_file, ca=ca, site=site
        )
        final = asyncio.run(_converse(reach, message, lifetime, patience, as_json))
    except (_Hopeless, ValueError, OSError) as error:
        _fail(str(error), as_json)
    sys.exit(0 if final == "done" else 1)


def _fail(reason: str, as_json: bool) -> None:
    print(json.dumps({"state": "not sent or not answered", "reason": reason}) if as_json else reason, file=sys.stderr)
    sys.exit(1)


def _argument(text: str) -> tuple[str, object]:
    """NAME=VALUE -> the name, and a number, true, false or a text. Raises ValueError."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{text!r} is no argument: write NAME=VALUE, as in level=40")
    if value in ("true", "false"):
        return name, value == "true"
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


async def _converse(
    address: dict[str, Any], message: dict[str, object], lifetime: float, patience: float, as_json: bool
) -> str:
    import aiomqtt

    message["issuer"] = address["username"] or "anonymous"
    try:
        async with aiomqtt.Client(**address, protocol=aiomqtt.ProtocolVersion.V5, timeout=CONNECT_S) as client:
            area, node = (await _node(client, str(message["pole"]), str(message["device"]))).split("/")
            return await _command(client, area, node, message, lifetime, patience, as_json)
    except aiomqtt.MqttError as error:
        where = f"{address['hostname']}:{address['port']}"
        raise _Hopeless(f"broker {where}: {error}; check --site or --broker, the user and --password-file") from None


async def _node(client: "aiomqtt.Client", pole: str, device: str) -> str:
    """The area/node that speaks for a device, from the births that the broker keeps. Raises _Hopeless."""
    from wire import topics

    found: Found = {}
    await client.subscribe(f"{topics.ROOT}/+/+/up/birth", qos=1)
    stream = aiter(client.messages)
    while (pole, device) not in found:
        try:
            async with asyncio.timeout(BIRTHS_S):
                heard = await anext(stream)
        except TimeoutError:
            raise _Hopeless(_unknown(pole, device, found)) from None
        found.update(_devices(str(heard.topic), bytes(heard.payload or b"")))
    await client.unsubscribe(f"{topics.ROOT}/+/+/up/birth")
    return found[pole, device]


def _devices(topic: str, body: bytes) -> Found:
    from wire import messages, topics
    from wire.errors import WireError

    try:
        area, node, _, _ = topics.parse(topic)
        birth = messages.decode(body, messages.BIRTH)
    except WireError:
        return {}  # somebody else's defect must not keep the operator from a lamp
    devices: list[dict[str, str]] = birth["devices"]  # type: ignore[assignment]
    return {(each["pole"], each["device"]): f"{area}/{node}" for each in devices}


def _unknown(pole: str, device: str, found: Found) -> str:
    import difflib

    if not found:
        return "no gateway has said which devices it has: is one connected to this broker?"
    known = {f"{each[0]} {each[1]}" for each in found}
    close = difflib.get_close_matches(f"{pole} {device}", sorted(known), n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    here = sorted(each[1] for each in found if each[0] == pole)
    has = f"pole {pole} has: {', '.join(here)}" if here else f"no gateway knows pole {pole}"
    return f"there is no device {device} on pole {pole}.{hint} ({has})"


async def _command(
    client: "aiomqtt.Client",
    area: str,
    node: str,
    message: dict[str, object],
    lifetime: float,
    patience: float,
    as_json: bool,
) -> str:
    import time

    from wire import messages, topics

    now = time.time_ns() // 1_000_000
    message |= {"issued": now, "expires": now + int(lifetime * 1000)}
    body = messages.encode(message, messages.COMMAND)
    await client.subscribe(topics.up(area, node, "reply"), qos=1)
    await client.publish(topics.down(area, node, "command"), body, qos=1)
    stream = aiter(client.messages)
    while True:
        reply = await _reply(stream, str(message["id"]), patience)
        _show(reply, message, as_json)
        patience = max(patience, ACCEPTED_S)
        if reply["state"] in FINAL:
            return str(reply["state"])


async def _reply(stream: Any, command: str, patience: float) -> dict[str, object]:
    from wire import messages
    from wire.errors import WireError

    try:
        async with asyncio.timeout(patience):
            async for heard in stream:
                try:
                    reply = messages.decode(bytes(heard.payload or b""), messages.REPLY)
                except WireError:
                    continue
                if reply["id"] == command:
                    return reply
    except TimeoutError:
        pass
    raise _Hopeless(
        f"command {command}: no reply in {patience:g} s. It may still be carried out until it expires; "
        f"ask again with the same --id {command}: that never does it twice"
    )


def _show(reply: dict[str, object], message: dict[str, object], as_json: bool) -> None:
    if as_json:
        print(json.dumps(reply), flush=True)
        return
    words = [f"{message['pole']}/{message['device']} {message['action']}: {reply['state']}"]
    read_back: dict[str, object] = reply.get("read_back") or {}  # type: ignore[assignment]
    words += [
        f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}" for name, value in read_back.items()
    ]
    words += [str(reply["reason"])] if reply.get("reason") else []
    print(", ".join(words), flush=True)
