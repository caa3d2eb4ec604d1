"""The survey of a bus: every Modbus profile's emulated device alone, 32 of them together, and their site file."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device_profiles import loader, site
from gateway.modbus.scan import search
from pole import bus_port
from pole.bus_fragment import fragment
from pole.bus_survey import Survey
from pole.command import app
from simulators.device import EmulatedDevice
from tests.parts.buses import device, rtu_port

run = CliRunner(env={"COLUMNS": "200"}).invoke
MODBUS = [name for name, profile in loader.profiles().items() if profile.protocol == "modbus"]
UNIT = 9
SITE = """
area: wuhou
gateways: {gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001}}
poles: {P0001: {position: [30.6410, 104.0430]}}
"""


class Quiet:
    """A survey's progress that nobody looks at."""

    def way(self, way): ...
    def unit(self, unit): ...
    def examining(self, unit): ...
    def present(self, present): ...
    def note(self, text): ...


async def surveyed(path: Path, *devices: EmulatedDevice, units: list[int], wait: float | None = None) -> Survey:
    async with rtu_port(path, *devices):
        survey = Survey(
            ways=bus_port.buses(str(path), framing="tcp"), units=units, wait=wait, dlt645=False, show=Quiet(),
            profiles=loader.profiles(),
        )  # fmt: skip
        await survey.run()
    return survey


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, Survey]:
    """Each profile's emulated device alone on a bus."""
    folder = tmp_path_factory.mktemp("alone")

    async def scenario() -> list[Survey]:
        return await asyncio.gather(
            *(surveyed(folder / name, device(name, UNIT), units=[UNIT], wait=3.0) for name in MODBUS)
        )

    return dict(zip(MODBUS, asyncio.run(scenario()), strict=True))


@pytest.mark.parametrize("name", MODBUS)
def test_every_profile_is_recognised_as_itself_or_in_a_tie_that_is_told(alone, name):
    (present,) = alone[name].presents
    ties = [each.profile for each in present.verdict.candidates[: present.verdict.ties]]
    assert name in ties
    assert " or ".join(ties) in present.sentence()
    assert len(ties) <= 3


def test_most_devices_are_recognised_as_themselves_alone(alone):
    alone_first = [name for name, survey in alone.items() if survey.presents[0].verdict.ties == 1]
    assert len(alone_first) > 0.75 * len(MODBUS)


@pytest.fixture(scope="module")
def full_bus(tmp_path_factory) -> Survey:
    """32 devices of all kinds among 66 unit ids that are asked."""
    devices = [device(name, 2 + 2 * index) for index, name in enumerate((MODBUS * 2)[:32])]
    path = tmp_path_factory.mktemp("full") / "rs485"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "LATE_S", 0.05)  # nobody here is late
        return asyncio.run(surveyed(path, *devices, units=list(range(1, 67)), wait=0.15))


def test_a_full_bus_is_found_whole(full_bus):
    assert [present.unit for present in full_bus.presents] == [2 + 2 * index for index in range(32)]
    wanted = (MODBUS * 2)[:32]
    for present, name in zip(full_bus.presents, wanted, strict=True):
        assert name in [each.profile for each in present.verdict.candidates[: present.verdict.ties]]
    assert (full_bus.garbled, full_bus.notes, full_bus.is_whole) == ([], [], True)


def in_a_site(tmp_path: Path, text: str) -> site.Site:
    """The site file with the fragment, once `pole site check` takes it."""
    path = tmp_path / "site.yaml"
    path.write_text(SITE + text, "utf-8")
    result = run(app, ["site", "check", str(path)])
    assert result.exit_code == 0, result.output
    return site.load(path)


def test_the_fragment_of_a_full_bus_passes_the_check_of_a_site_file(full_bus, tmp_path):
    text = fragment(full_bus, pole="P0001", bus="rs485-1")
    # a full bus of such devices is more than 9600 baud carry; which the check would say
    found = in_a_site(tmp_path, text.replace("baud: 9600", "baud: 115200"))
    assert [each.unit for each in found.devices] == [present.unit for present in full_bus.presents]
    assert [each.profile for each in found.devices] == [
        present.verdict.candidates[0].profile for present in full_bus.presents
    ]


def test_a_unit_that_was_looked_at_when_the_scan_ended_is_told(tmp_path):
    class Impatient(Quiet):
        def examining(self, unit):
            if unit == 3:
                asyncio.current_task().cancel()

    async def scenario() -> Survey:
        path = tmp_path / "rs485"
        async with rtu_port(path, device("qdy30a", 2), device("qdy30a", 3)):
            survey = Survey(
                ways=bus_port.buses(str(path), framing="tcp"), units=[2, 3], wait=0.06, dlt645=False, show=Impatient(),
                profiles=loader.profiles(),
            )  # fmt: skip
            (ended,) = await asyncio.gather(asyncio.create_task(survey.run()), return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError)
        return survey

    survey = asyncio.run(scenario())
    assert [each.unit for each in survey.presents] == [2]
    told = "9600 8N1, unit 3 answers; the scan ended before it was recognised"
    assert survey.notes == [told]
    assert f"# {told}" in fragment(survey, pole="P0001", bus=None)
