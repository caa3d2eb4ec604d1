"""The search for units and their examination, on ptys with emulated units, and with things that no device should do."""

import asyncio
from collections.abc import Callable

import pytest

from device_profiles import fingerprint, loader
from device_profiles.bus_time import Line as Settings
from gateway import serial_port
from gateway.modbus import unanswered
from gateway.modbus.scan import listening, search
from gateway.modbus.scan.examine import SILENT_MOST, Examination
from gateway.modbus.scan.probe import Found, Garbled, expected_seconds, look, usual_wait
from gateway.modbus.scan.search import Search
from gateway.modbus.serial_line import SerialLine
from gateway.modbus.tcp_line import TcpLine
from protocols import modbus
from protocols.errors import LineDown
from simulators.tcp_port import TcpPort
from tests.parts.buses import device, rtu_port, speaking

PROFILES = {name: profile for name, profile in loader.profiles().items() if profile.protocol == "modbus"}
WAIT_S = 0.08


@pytest.fixture(autouse=True)
def late_is_soon(monkeypatch):
    monkeypatch.setattr(search, "LATE_S", 6 * WAIT_S)
    monkeypatch.setattr(unanswered, "LATE_MOST_S", 8 * WAIT_S)


def line(path, baud: int = 115200) -> SerialLine:
    return SerialLine(port=str(path), baud=baud)


async def everybody(path, units: range, baud: int = 115200) -> tuple[list[Found | Garbled], Search]:
    way = line(path, baud)
    hunt = Search(line=way, units=units, wait=WAIT_S, on_unit=lambda unit: None)
    found = [outcome async for outcome in hunt.everybody()]
    await way.close()
    return found, hunt


def searched(port, units: range) -> tuple[list[Found | Garbled], Search]:
    async def scenario() -> tuple[list[Found | Garbled], Search]:
        async with port:
            return await everybody(port.path, units)

    return asyncio.run(scenario())


def test_an_answer_and_a_refusal_are_both_life_and_silence_is_none(tmp_path):
    port = rtu_port(tmp_path / "p", device("sen0482", 2), device("xy-md03", 5), device("sdm120", 7))
    port.unit(7).faults.silent = True
    found, hunt = searched(port, range(1, 9))
    assert [(each.unit, each.refusal) for each in found] == [(2, None), (5, 2)]
    assert hunt.trouble == ""


def test_a_late_answer_is_traced_to_the_unit_that_gave_it(tmp_path):
    port = rtu_port(tmp_path / "p", device("sdm120", 3))
    port.unit(3).faults.slow = 4 * WAIT_S
    found, _ = searched(port, range(1, 16))
    assert [(each.unit, each.is_late) for each in found] == [(3, True)]
    assert found[0].seconds > 4 * WAIT_S


@pytest.mark.parametrize("units", [range(1, 5), range(1, 4)], ids=["before a found one", "at the end"])
def test_a_late_answer_is_waited_for_before_others_are_examined_and_at_the_end(tmp_path, units):
    port = rtu_port(tmp_path / "p", device("sdm120", 3), device("sdm120", 4))
    port.unit(3).faults.slow = 4 * WAIT_S
    found, _ = searched(port, units)
    assert sorted((each.unit, each.is_late) for each in found) == [(3, True), (4, False)][: len(units) - 2]


def test_a_unit_that_never_gives_a_right_frame_is_told_and_the_others_are_found(tmp_path):
    port = rtu_port(tmp_path / "p", device("sen0482", 2), device("xy-md03", 5))
    port.unit(2).faults.corrupt = True
    found, hunt = searched(port, range(1, 7))
    assert [type(each) for each in found] == [Garbled, Found]
    assert (found[0].unit, found[0].fault, hunt.trouble) == (2, "crc", "")


def test_a_unit_in_whose_turn_somebody_else_spoke_is_asked_again(tmp_path):
    asked: list[int] = []

    def answer(request: bytes) -> bytes:
        asked.append(request[0])
        speaker = 9 if asked == [1, 2] else request[0]
        return modbus.rtu(speaker, bytes([3, 2, 0, 7])) if request[0] == 2 else b""

    found, _ = searched(speaking(tmp_path / "p", answer), range(1, 4))
    assert [each.unit for each in found] == [2]


def collision(request: bytes) -> bytes:
    """Two devices answer at once: on the wire the driven bit wins, so the bytes are the AND of both."""
    one, other = (modbus.rtu(request[0], bytes([3, 2, *value])) for value in (b"\x01\x0f", b"\x02\xf1"))
    return bytes(a & b for a, b in zip(one, other, strict=True)) if request[0] == 4 else b""


def test_two_units_with_one_number_are_told_by_their_collision(tmp_path):
    found, _ = searched(speaking(tmp_path / "p", collision), range(3, 7))
    assert [(type(each), each.unit) for each in found] == [(Garbled, 4)]


def test_an_echoing_adapter_is_nobody(tmp_path):
    found, hunt = searched(speaking(tmp_path / "p", lambda request: request), range(1, 5))
    assert (found, hunt.trouble) == ([], "")


def test_a_line_on_which_everything_is_garbage_ends_the_search(tmp_path):
    found, hunt = searched(
        speaking(tmp_path / "p", lambda request: bytes([request[0], 3, 2, 0, 0, 0, 0])), range(1, 200)
    )
    assert hunt.trouble == search.FROM_EVERYBODY
    assert search.GARBLED_RUN <= len(found) < 3 * search.GARBLED_RUN


def test_a_line_that_is_never_quiet_ends_the_search(tmp_path, monkeypatch):
    monkeypatch.setattr(serial_port, "NOISE_S", 0.3)

    async def scenario() -> Search:
        port = speaking(tmp_path / "p", lambda request: b"")
        async with port:
            babble = asyncio.create_task(babbling(port.write))
            _, hunt = await everybody(port.path, range(1, 200), baud=2400)
            babble.cancel()
            return hunt

    assert "never quiet" in asyncio.run(scenario()).trouble


async def babbling(write: Callable[[bytes], None], said: bytes = b"\x5a" * 512) -> None:
    """The line's buffer is kept full: a process that was held up finds noise in it, however long that was."""
    while True:
        write(said)
        await asyncio.sleep(0)


def test_a_network_device_that_ignores_unit_ids_is_one_device():
    async def scenario(units: list[int], asked: range) -> bool:
        async with TcpPort(devices=[device("sdm120", unit) for unit in units]) as port:
            way = TcpLine(host=port.host, port=port.port)
            hunt = Search(line=way, units=asked, wait=0.5, on_unit=lambda unit: None)
            ignores = await hunt.ignores_units()
            await way.close()
            return ignores

    assert asyncio.run(scenario([*search.STRANGERS, 1], range(1, 248)))
    assert not asyncio.run(scenario([1, 2], range(1, 248)))
    assert not asyncio.run(scenario([*search.STRANGERS], range(1, 3)))


def test_what_a_gateway_says_of_units_that_are_not_there_is_no_life():
    async def scenario() -> list[object]:
        async with TcpPort(devices=[device("sdm120", 2)]) as port:
            way = TcpLine(host=port.host, port=port.port)
            looked = [await look(way, unit, 0.5) for unit in (1, 2, 3)]
            await way.close()
            return looked

    none, found, nobody = asyncio.run(scenario())
    assert (none, nobody) == (None, None)
    assert isinstance(found, Found)


def examined(port, unit: int) -> Examination:
    async def scenario() -> Examination:
        async with port:
            way = line(port.path)
            examination = Examination(line=way, unit=unit, wait=WAIT_S)
            await examination.run(PROFILES)
            await way.close()
            return examination

    return asyncio.run(scenario())


def test_an_examination_reads_what_the_device_holds_and_asks_nothing_twice(tmp_path):
    meter = device("sdm230", 1)
    examination = examined(rtu_port(tmp_path / "p", meter), 1)
    image = meter.image()
    assert {place: examination.seen.words[place] for place in image} == image
    assert examination.asked < 60
    assert set(examination.seen.refused.values()) <= {"exception 2", "exception 3"}


def test_a_device_that_refuses_the_hole_of_a_block_is_read_point_by_point(tmp_path):
    # its profile lets a block bridge holes, the device at hand does not
    meter = device("sdm120", 1)
    strict = meter.profile.model_copy(update={"modbus": meter.profile.modbus.model_copy(update={"gap": 0})})
    port = rtu_port(tmp_path / "p", type(meter)(profile=strict, pole="P", name="m", unit=1))
    examination = examined(port, 1)
    assert fingerprint.rank(PROFILES, examination.seen).candidates[0].profile == "sdm120"
    assert any(read.size > 2 for read in examination.seen.refused)


def test_a_table_that_is_never_answered_is_left_alone(tmp_path):
    def only_inputs(request: bytes) -> bytes:
        return modbus.rtu(request[0], bytes([request[1] | 0x80, 2])) if request[1] == 4 else b""

    examination = examined(speaking(tmp_path / "p", only_inputs), 1)
    silent = [read.table for read, why in examination.seen.refused.items() if why == "no answer"]
    assert silent.count("holding") == SILENT_MOST
    assert "input" not in silent


def test_a_port_that_goes_away_ends_the_search(tmp_path):
    port = rtu_port(tmp_path / "p", device("sdm120", 1))

    async def scenario() -> None:
        async with port:
            way = line(port.path)
            hunt = Search(
                line=way, units=range(1, 200), wait=WAIT_S, on_unit=lambda unit: port.vanish() if unit == 3 else None
            )
            found: list[int] = []
            with pytest.raises(LineDown):
                await collected(hunt, found)
            assert found == [1]
            await way.close()

    async def collected(hunt: Search, found: list[int]) -> None:
        async for outcome in hunt.everybody():
            found.append(outcome.unit)

    asyncio.run(scenario())


def heard(path, answer, before: bytes = b"") -> listening.Heard:
    async def scenario() -> listening.Heard:
        port = speaking(path, answer)
        async with port:
            asyncio.get_running_loop().call_later(listening.LISTEN_S / 2, port.write, before)
            return await listening.listen(port=str(path), settings=Settings(baud=9600), unit=1)

    return asyncio.run(scenario())


def test_listening_tells_silence_echo_another_master_and_noise(tmp_path):
    assert heard(tmp_path / "a", lambda request: b"").sentences() == []
    assert heard(tmp_path / "b", lambda request: request).echoes
    asked = modbus.rtu(17, modbus.read("holding", 40, 6))
    assert "another master reads unit 17" in heard(tmp_path / "c", lambda request: b"", b"\x00" + asked).sentences()[0]
    assert (
        "3 bytes came without a question (fe 00 fe)"
        in heard(tmp_path / "d", lambda request: b"", b"\xfe\x00\xfe").sentences()[0]
    )


def test_the_wait_follows_the_rate_and_the_expectation_the_wait():
    slow, fast = (usual_wait(Settings(baud=baud)) for baud in (1200, 115200))
    assert slow > fast > 0.1
    way = SerialLine(port="/dev/null", baud=9600)
    assert expected_seconds(way, 247, 0.17) == pytest.approx(247 * (0.17 + 15 * 10 / 9600), rel=0.02)
