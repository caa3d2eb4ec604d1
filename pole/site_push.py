"""`pole site push`: a site file goes to a running gateway over the broker, and its verdict comes back."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import aiomqtt

    from device_profiles.site import Site

BEFORE_S = 1.0  # a retained status comes right after the subscription
CONNECT_S = 10.0


class _Hopeless(Exception):
    """Nothing was sent, or nothing came back. str() says why and what to do."""


def push(
    file: Annotated[Path, typer.Argument(metavar="SITE", help="the site file that the gateway shall have")],
    node: Annotated[
        str | None, typer.Option("--node", help="which of the site's gateways; needed if there are several")
    ] = None,
    broker: Annotated[
        str | None, typer.Option("--broker", help="mqtt://user@host:port; else the site's, as the user operator")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="one line; else operator.password beside the site file")
    ] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="mqtts: who vouches for the broker")] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="take back what was pushed: the gateway's own file counts again")
    ] = False,
    wait: Annotated[str, typer.Option("--wait", help="how long to wait for the gateway's verdict")] = "30s",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document instead of text")] = False,
) -> None:
    """Check a site file, send it to a running gateway, and wait for its verdict. Exits 0 once it is in force."""
    from device_profiles.problems import FileProblem
    from device_profiles.schema import seconds
    from gateway.configuration import choose

    try:
        content, site = _checked(file)
        name = choose(site, node)
        reach = _reach(site, name, file, broker, password_file, ca)
        said = asyncio.run(_converse(reach, site.area, name, b"" if withdraw else content, seconds(wait), not as_json))
    except (_Hopeless, FileProblem, ValueError, OSError) as error:
        said = {"state": "not sent or not answered", "reason": str(error)}
    _show(said, as_json)
    sys.exit(0 if said["state"] == "in force" else 1)


def _checked(file: Path) -> tuple[bytes, "Site"]:
    from device_profiles import problems
    from device_profiles import site as sites
    from gateway.configuration import MAX_BYTES

    content = problems.read_bytes(file)
    site, _ = sites.parse(content, shown=file, folder=file.parent)
    if len(content) > MAX_BYTES:
        raise _Hopeless(f"{file}: a gateway takes at most {MAX_BYTES} bytes, not {len(content)}: copy the file there")
    return content, site


def _reach(
    site: "Site", node: str, file: Path, broker: str | None, password_file: Path | None, ca: Path | None
) -> dict[str, Any]:
    from pole import address

    own = site.gateways[node]
    url = broker or own.broker.replace("://", f"://{address.USER}@", 1)
    return address.options(
        broker=url, password_file=password_file or address.password_beside(file), ca=ca or (None if broker else own.ca)
    )


async def _converse(
    reach: dict[str, Any], area: str, node: str, content: bytes, patience: float, progress: bool
) -> dict[str, object]:
    """state (in force or refused), and the status' own words."""
    import aiomqtt

    from wire import topics

    try:
        async with aiomqtt.Client(**reach, protocol=aiomqtt.ProtocolVersion.V5, timeout=CONNECT_S) as client:
            await client.subscribe(topics.up(area, node, "status"), qos=1)
            before = await _status(client, BEFORE_S)
            await client.publish(topics.down(area, node, "config"), content, qos=1, retain=True)
            if progress:
                print(f"sent; waiting up to {patience:g} s for {node}", file=sys.stderr, flush=True)
            return await _verdict(client, node, content, before, patience)
    except aiomqtt.MqttError as error:
        where = f"{reach['hostname']}:{reach['port']}"
        raise _Hopeless(f"broker {where}: {error}; check --broker, the user and --password-file") from None


async def _verdict(
    client: "aiomqtt.Client", node: str, content: bytes, before: dict[str, Any] | None, patience: float
) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    status = before
    while (left := deadline - loop.time()) > 0:
        heard = await _status(client, left)
        status = heard or status
        if heard and heard["online"] and (said := _said(heard, content, before or {})) is not None:
            return said
    raise _Hopeless(_silence(node, status, patience))


def _said(status: dict[str, Any], content: bytes, before: dict[str, Any]) -> dict[str, object] | None:
    """What a status says of what was sent; None where it does not speak of it yet."""
    from gateway.configuration import short_sha

    wanted = {"sha": short_sha(content), "source": "broker"} if content else {"source": "file"}
    refused, known = status.get("config_refused", {}), before.get("config_refused", {})
    if refused and refused != known and wanted.items() <= refused.items():
        return {"state": "refused", **refused}
    in_force = status.get("config", {})
    return {"state": "in force", **in_force} if wanted.items() <= in_force.items() else None


async def _status(client: "aiomqtt.Client", patience: float) -> dict[str, Any] | None:
    from wire import messages
    from wire.errors import WireError

    try:
        async with asyncio.timeout(patience):
            async for heard in client.messages:
                try:
                    return messages.decode(bytes(heard.payload or b""), messages.STATUS)
                except WireError:
                    continue
    except TimeoutError:
        pass
    return None


def _silence(node: str, status: dict[str, Any] | None, patience: float) -> str:
    if status is None:
        return f"{node} has never spoken on this broker: check --node, the site's area, --broker and the user's rights"
    if not status["online"]:
        return f"{node} is away; it takes the configuration when it is back: look at `config` in its status then"
    return (
        f"{node} said nothing of it in {patience:g} s: it may run an older version, or the broker may refuse this user "
        "to write down/config"
    )


def _show(said: dict[str, object], as_json: bool) -> None:
    if as_json:
        print(json.dumps(said, ensure_ascii=False))
    elif said["state"] == "in force":
        print(f"in force: {said['sha']} from the {said['source']}")
    else:
        print(f"refused: {said['reason']}" if said["state"] == "refused" else said["reason"], file=sys.stderr)
