"""The self-test: what edge/self_test.py finds on the controller IN, lines of the acceptance sheet OUT."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from device_profiles.schema import Profile
from device_profiles.site import Device
from pole.flash import ControllerError
from pole.flash.contents import SLOT
from pole.flash.sheet import MARKS, Check, Sheet
from pole.flash.steps import Step, Steps

LEAST_FREE = 48_000  # bytes: the agent's peak (pole edge size), and the heap of the tests
DRIFT_MS = 50  # of a second, between the board's counter and its clock
WRONG_MS = 5_000
READ_MS = 30_000  # until each device of a bus has told a value
AGAIN_MS = 6_000  # so long who did not answer is asked again (edge/poller.py: RETRY_MS)
WORKING_S = 150.0  # the longest check: Wi-Fi, TLS and both waits of the session

RESTART = "Press the controller's reset button and run again."
# What a session with the broker or the gateway ends with (edge/mqtt.py, edge/serial_link.py) -> what to do
BROKER = {
    "refused 4": "The broker refuses user or password: look at the controller's password_file and the broker's users.",
    "refused 5": "The broker refuses user or password, or this certificate: look at the controller's password_file "
    "(or cert) and the broker's users.",
    "refused 128": "The broker does not let this node read its own topics: look at its access list, area and node.",
    "refused 2": "The broker refuses the client identity: look at the node's name.",
    "name": "The broker's name is not found: look at `broker` in the site file, and at the network's DNS.",
    "files": "Certificate or key cannot be read: look at ca, cert and key in the site file.",
    "certificate": "The broker's certificate is not of this authority, not for this name, or not valid: look at ca.",
    "clock": "Without the time no certificate is valid: name a time server with `ntp` in the site file.",
    "timeout": "Nothing answers at the broker's address: look at network, firewall, host and port.",
    "closed": "The broker hung up: it may want TLS (mqtts), or not, or a certificate of this node.",
    "session": "The gateway did not ask this controller: look at its bus, at `address`, and whether it runs.",
    "111": "Nobody listens at the broker's host and port: is it running, and is the port right?",
    "104": "The broker hung up: it may want TLS (mqtts), or not.",
    "113": "No way to the broker's host: look at network and address.",
}
ANY_BROKER = "Look at network, certificates and the broker's log; then run again."


class Runner(Protocol):
    """Runs Python on the controller."""

    def run(self, code: str, *, patience: float = ...) -> str: ...


@dataclass
class Source:
    """What tells readings on a controller. kind: inputs, sensors or bus."""

    kind: str
    name: str
    devices: list[Device]
    heard: dict[str, dict[str, str]] = field(default_factory=dict)


class Checks:
    """folder: the controller's, without a slash at its end. utc_ms: the time now, 0 where it is not to be set."""

    def __init__(
        self, *, runner: Runner, folder: str, config: dict[str, Any], sources: Iterable[Source],
        profiles: dict[str, Profile], utc_ms: Callable[[], int], sets_clock: bool,
    ) -> None:  # fmt: skip
        self._runner = runner
        self._folder = folder
        self._config = config
        self._sources = list(sources)
        self._profiles = profiles
        self._utc_ms = utc_ms
        self._sets_clock = sets_clock

    def __len__(self) -> int:
        return 5 + sum(len(source.devices) for source in self._sources)

    def all(self, steps: Steps, step: Step, sheet: Sheet) -> None:
        """Each goes onto the sheet and is shown."""
        steps.total(len(self))
        for check in self.run():
            sheet.checks.append(check)
            steps.advance(1)
            of = f" {check.what}" if check.what else ""
            steps.say(f"{MARKS[check.state]:7} {check.name}{of}: {check.said}")
        failed = sum(check.state == "failed" for check in sheet.checks)
        step.said = f"{failed} of {len(sheet.checks)} failed" if failed else f"{len(sheet.checks)} passed"
        step.state = "failed" if failed else "done"

    def run(self) -> Iterator[Check]:
        """Each as it is done. Raises FlashError when the controller stops answering."""
        yield from self._tried("memory", self._memory)
        yield from self._tried("files", self._files)
        yield from self._tried("clock", self._clock)
        for source in self._sources:
            yield from self._readings(source)
        yield from self._tried("network", self._network)
        yield from self._tried("broker", self._broker)

    def _tried(self, name: str, check: Callable[[], Check]) -> Iterator[Check]:
        try:
            yield check()
        except ControllerError as error:
            yield Check(name, "", "failed", error.reason, error.remedy)

    def _memory(self) -> Check:
        free = self._answer("memory")[0][0]
        if not free:
            return Check("memory", "", "skipped", "not counted on this controller")
        remedy = "" if free >= LEAST_FREE else f"{LEAST_FREE} are needed: take the firmware that docs/flash.md names."
        return _judged("memory", "", f"{free} bytes free", remedy)

    def _files(self) -> Check:
        same, kind, free = self._answer("files")[0]
        needed = self._config["journal"]
        remedy = ""
        if not same:
            remedy = "What was written is not what was read: run again with --erase; then replace the controller."
        elif "Fat" in kind:
            remedy = "A power cut loses files on FAT. Run again with --erase and --firmware, which makes LittleFS2."
        elif free < needed:
            remedy = f"The journal may grow to {needed} bytes: make journal_kilobytes smaller, or run with --erase."
        name = "LittleFS2" if "Lfs2" in kind else kind.strip("<>")
        return _judged("files", "", f"{name}, {free} bytes free", remedy)

    def _clock(self) -> Check:
        counted, passed, now = self._answer("clock", self._utc_ms() if self._sets_clock else 0)[0]
        if now is None:
            return Check("clock", "", "failed", "the time is not known", "Set the machine's clock (NTP), run again.")
        wrong = now - self._utc_ms()
        remedy = ""
        if abs(counted - passed) > DRIFT_MS or not 900 < counted < 2000:
            remedy = "The controller's crystal or its clock is wrong: replace the controller."
        elif abs(wrong) > WRONG_MS:
            remedy = "Set the clock of this machine, or of the controller's (NTP), then run again."
        return _judged(
            "clock", "", f"a second took {counted} ms, {abs(wrong) / 1000:.1f} s from this machine's", remedy
        )

    def _readings(self, source: Source) -> list[Check]:
        devices = [device.id for device in source.devices]
        try:
            again = AGAIN_MS if source.kind == "bus" else 0
            rows = self._answer("readings", source.kind, source.name, devices, READ_MS, again)
        except ControllerError as error:
            return [Check(source.kind, source.name, "failed", error.reason, error.remedy)]
        for device, point, text in rows:
            source.heard.setdefault(device, {})[point] = text
        return [self._device(source, device) for device in source.devices]

    def _device(self, source: Source, device: Device) -> Check:
        records = {point: json.loads("{" + text + "}") for point, text in source.heard.get(device.id, {}).items()}
        values = [_shown(point, record, self._unit(device, point)) for point, record in records.items()]
        name = "bus " + source.name if source.kind == "bus" else source.kind
        what = f"{device.id} unit {device.unit}" if source.kind == "bus" else device.id
        qualities = {record["q"] for record in records.values() if "q" in record}
        remedy = ""
        if all("q" in record for record in records.values()):
            remedy = _bus_remedy(qualities) if source.kind == "bus" else "Look at its wiring, and at its address."
        return _judged(name, what, ", ".join(values) or "told nothing", remedy)

    def _unit(self, device: Device, point: str) -> str:
        known = self._profiles[device.profile].points.get(point)
        return known.unit if known else ""

    def _network(self) -> Check:
        if self._config["uplink"]["kind"] != "mqtt":
            return Check("network", "", "skipped", "reaches the broker through a gateway")
        connected = self._answer("network")[0][0]
        remedy = "" if connected else "Look at the Wi-Fi's name and password, the antenna, or the Ethernet cable."
        return _judged("network", "", "connected" if connected else "not connected", remedy)

    def _broker(self) -> Check:
        uplink = self._config["uplink"]
        at = f"{uplink['host']}:{uplink['port']}" if uplink["kind"] == "mqtt" else f"address {uplink['address']}"
        will = json.dumps({"online": False, "version": "self-test"})
        first, *rest = self._answer("broker", will)[-1]
        if first == "ok":
            return Check(
                "broker", at, "ok", f"took {self._config['node']}, its subscription and a reply in {rest[0]} ms"
            )
        return Check(
            "broker", at, "failed", " ".join([first, *map(str, rest)]), BROKER.get(first.split(":")[0], ANY_BROKER)
        )

    def _answer(self, function: str, *arguments: object) -> list[list[Any]]:
        """The rows that a function of edge/self_test.py printed."""
        words = ", ".join(repr(each) for each in (self._folder, *arguments))
        code = PRELUDE.format(slot=f"{self._folder}/{SLOT}") + f"t.{function}({words})"
        rows = []
        for row in self._runner.run(code, patience=WORKING_S).splitlines():
            try:
                found = json.loads(row)
            except ValueError:
                continue  # something that the agent's own modules print
            if isinstance(found, list):
                rows.append(found)
        if not rows and function != "readings":
            raise ControllerError(f"The self-test `{function}` said nothing.", RESTART)
        return rows


# What a check before has loaded is thrown out: each begins with the same memory
PRELUDE = """
import gc, sys
for name in [each for each in sys.modules if each.split('.')[0] in ('edge', 'wire')]:
    del sys.modules[name]
t = None
gc.collect()
if '{slot}' not in sys.path:
    sys.path.insert(0, '{slot}')
from edge import self_test as t
"""


def _judged(name: str, what: str, said: str, remedy: str) -> Check:
    return Check(name, what, "failed" if remedy else "ok", said, remedy)


def _shown(point: str, record: dict[str, Any], unit: str) -> str:
    if "q" in record:
        return f"{point}: {record['q']}"
    if "vb" in record:
        return f"{point} {'on' if record['vb'] else 'off'}"
    value = record["vs"] if "vs" in record else f"{record['v']:.6g}"
    return f"{point} {value} {unit.strip('/')}".strip()  # SenML's "/" is a number without unit


def _bus_remedy(qualities: set[str]) -> str:
    if "crc" in qualities:
        return "Its answers are damaged: two units with this number, no termination, or a wrong parity."
    if any(quality.startswith("exception") for quality in qualities):
        return "It refuses what its profile asks: look at the label, it may be another device."
    if "range" in qualities:
        return "Its values cannot be: look at the label, it may be another device."
    return "It does not answer: its power, A and B, unit number, speed and parity (`pole bus scan` with an adapter)."
