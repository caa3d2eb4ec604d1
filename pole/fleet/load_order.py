"""What the options of `pole fleet load` ask for.

Exception
└── OrderError    they ask for something that cannot be; the message names the option, the value and what is allowed
"""

import re
import secrets
import ssl
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from device_profiles.schema import seconds
from simulators.load import schedule
from simulators.load.schedule import Schedule
from wire.names import NAME_RULE, is_name

RATE, FOR = 500.0, "60s"
SLICES = 10  # of a ramp, each with a result of its own
LEAST_S = 1.0  # of a stage: with less, percentiles mean nothing
QUIET_S = 250.0  # the longest that a node may be silent: it sends no pings, and brokers allow 300 s
MOST_RATE = 1000.0  # of one node: two packs in the same millisecond would be one reading in the store
NO_NODES = ("ingest", "operator", "chirpstack")  # users of mosquitto.acl that are no nodes


class OrderError(Exception):
    """str() says what to do."""


@dataclass(frozen=True, kw_only=True)
class LoadOrder:
    """host is empty where broker and ingest are to be started; users are then made up."""

    schedule: Schedule
    users: dict[str, str] = field(repr=False)
    readings: int
    sources: int
    confirm: str
    host: str
    port: int
    tls: bool
    context: ssl.SSLContext | None  # of a broker that is there already


def plan(*, rate: float | None, duration: str, ramp: str | None, steps: str | None, each: str) -> Schedule:
    """One of three kinds. Raises OrderError."""
    if sum(option is not None for option in (rate, ramp, steps)) > 1:
        raise OrderError("--rate, --ramp and --steps are three ways to say one thing: take one of them")
    if ramp is not None:
        return _ramp(ramp)
    if steps is not None:
        rates = [_rate("--steps", text) for text in steps.split(",")]
        return schedule.steps(rates, _time("--each", each))
    return schedule.steps([RATE if rate is None else _rate("--rate", str(rate))], _time("--for", duration))


def order(
    *, plan: Schedule, nodes: int, readings: int, broker: str | None, passwords: Path | None, tls: bool,
    ca: Path | None, sources: int, confirm: str,
) -> LoadOrder:  # fmt: skip
    """Raises OrderError."""
    _check_rates(plan, nodes)
    made = partial(LoadOrder, schedule=plan, readings=readings, sources=sources, confirm=confirm)
    if broker is None:
        if passwords or ca:
            raise OrderError("--passwords and --ca are for a broker that is there: name it with --broker")
        word = secrets.token_urlsafe(12)
        users = {f"L{number + 1:05}": word for number in range(nodes)}
        return made(users=users, host="", port=0, tls=tls, context=None)
    parts = _address(broker, tls)
    if passwords is None:
        raise OrderError("--broker: which users may connect? Name a file of USER:PASSWORD lines with --passwords")
    secure = parts.scheme == "mqtts"
    return made(
        users=_users(passwords, nodes), host=parts.hostname or "", port=parts.port or (8883 if secure else 1883),
        tls=secure, context=_context(ca) if secure else None,
    )  # fmt: skip


def _ramp(text: str) -> Schedule:
    match = re.fullmatch(r"([^:/]+):([^:/]+)/([^:/]+)", text)
    if match is None:
        raise OrderError(f"--ramp {text}: write LOW:HIGH/TIME, as in 100:5000/60s")
    length = _time("--ramp", match[3])
    slices = max(1, min(SLICES, int(length / LEAST_S)))
    return schedule.ramp(_rate("--ramp", match[1]), _rate("--ramp", match[2]), length, slices)


def _rate(option: str, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise OrderError(f"{option}: {text.strip()!r} is no rate: write packs a second, more than 0, as in 500")
    return found


def _time(option: str, text: str) -> float:
    try:
        found = seconds(text.strip())
    except ValueError as error:
        raise OrderError(f"{option}: {text!r}: {error}") from None
    if found < LEAST_S:
        raise OrderError(f"{option}: {text} is too short to tell anything: write {LEAST_S:g}s or more, as in 20s")
    return found


def _check_rates(plan: Schedule, nodes: int) -> None:
    low = min(min(stage.rate, stage.last_rate) for stage in plan.stages)
    high = max(max(stage.rate, stage.last_rate) for stage in plan.stages)
    if high > MOST_RATE * nodes:
        raise OrderError(
            f"--nodes {nodes}: at {high:g} packs a second a node would send two in the same millisecond;"
            f" take at least {int(high / MOST_RATE) + 1} nodes"
        )
    if low < nodes / QUIET_S:
        raise OrderError(
            f"--nodes {nodes}: at {low:g} packs a second a node would be silent for {nodes / low:.0f} s, and a broker"
            f" ends its session; take at most {int(low * QUIET_S)} nodes, or {nodes / QUIET_S:.3g} packs a second"
        )
    if not all(stage.count for stage in plan.stages):
        raise OrderError("no pack falls due in one of the stages: take a higher rate or a longer time")


def _address(broker: str, tls: bool) -> SplitResult:
    try:
        parts = urlsplit(broker)
        good = parts.scheme in ("mqtt", "mqtts") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or parts.username:
        raise OrderError(f"--broker {broker}: write mqtt://HOST:PORT or mqtts://HOST:PORT; users stand in --passwords")
    if tls and parts.scheme == "mqtt":
        raise OrderError(f"--tls: {broker} is no address for TLS: write mqtts://, with the port of the TLS listener")
    return parts


def _users(path: Path, nodes: int) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise OrderError(f"--passwords: {path} cannot be read: {error}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        user, colon, password = line.partition(":")
        if not line.strip() or user in NO_NODES:
            continue
        if not colon or not is_name(user):
            raise OrderError(f"{path}:{number}: write USER:PASSWORD; a user is a node's name: {NAME_RULE}")
        found[user] = password
    if len(found) < nodes:
        raise OrderError(f"--nodes {nodes}: {path} has {len(found)} nodes; write --nodes {len(found)}, or add users")
    return dict(list(found.items())[:nodes])


def _context(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise OrderError(f"--ca: {ca}: {error}; name the PEM file of who signed the broker's certificate") from None
