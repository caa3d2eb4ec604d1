"""Screens' emulator -> asker -> readings equal to its truth; commands through the driver; screens that misbehave."""

import asyncio
import contextlib
import time
import tracemalloc

import pytest

from device_profiles import loader
from device_profiles.site_model import Device
from gateway.asked.multivision_asker import MOST_NOISE, MultivisionAsker
from gateway.asked.polling import Polling
from protocols.errors import BadAnswer, DeviceError, LineDown, Refused, Timeout
from simulators.device import EmulatedDevice
from simulators.multivision_screen import MultivisionScreen
from tests.gateway.probe import Watch, running

PROFILE = loader.load(loader.files()["multivision-led-text"])
WAIT = 0.6


def play(part):
    async def whole():
        devices = [
            EmulatedDevice(profile=PROFILE, pole="P1", name=f"screen-{each}", address=f"10.0.0.7:4010#{each:02d}")
            for each in (1, 2)
        ]
        async with MultivisionScreen(devices=devices) as computer:
            await part(computer, MultivisionAsker(wait=WAIT), f"127.0.0.1:{computer.port}")

    asyncio.run(whole())


def test_every_verb_is_the_screens_truth():
    async def part(computer, asker, at):
        for each in (1, 2):
            said = await asker.ask(f"{at}#{each:02d}", ["BRIGH", "POWER", "TEXT"])
            truth = computer.screens[each].raws()
            assert said == {"BRIGH": truth["BRIGH"], "POWER": int(truth["POWER"]), "TEXT": truth["TEXT"]}
        assert (await asker.ask(at, ["BRIGH"]))["BRIGH"] == computer.screens[1].raws()["BRIGH"]

    play(part)


def test_commands_touch_the_screen_that_is_meant():
    async def part(computer, asker, at):
        computer.screens[1].hold("brightness", 33)
        await asker.tell(f"{at}#2", "BRIGH", 75)
        await asker.tell(f"{at}#2", "TEXT", "道路积水 Detour = A&B?")
        await asker.tell(f"{at}#2", "POWER", False)
        two = computer.screens[2]
        assert (two.value("brightness"), two.value("text"), two.value("on")) == (75, "道路积水 Detour = A&B?", False)
        assert computer.screens[1].value("brightness") == 33

    play(part)


@pytest.mark.parametrize("text", ["a\rb", "\x01LEDSPOWER01=0\r", "汉" * 81, "a\x00"])
def test_a_text_that_would_be_more_than_a_text_never_leaves(text):
    async def part(computer, asker, at):
        with pytest.raises(Refused) as told:
            await asker.tell(at, "TEXT", text)
        assert "U+00" in str(told.value) or "243 bytes" in str(told.value)
        assert computer.requests == 0

    play(part)


def test_an_unknown_verb_leaves_the_others_alone():
    async def part(computer, asker, at):
        said = await asker.ask(at, ["COLOR", "BRIGH"])
        assert isinstance(said["COLOR"], Timeout)
        assert isinstance(said["BRIGH"], int)

    play(part)


def test_what_goes_wrong_has_its_error():
    async def part(computer, asker, at):
        async def error(address=at):
            with pytest.raises(DeviceError) as told:
                await asker.ask(address, ["BRIGH"])
            return told.value

        computer.faults.silent = True
        assert type(await error()) is Timeout
        with pytest.raises(Timeout):
            await asker.tell(at, "BRIGH", 5)
        computer.heal()
        assert type(await error(f"{at}#77")) is Timeout
        computer.faults.other_screen = True
        assert (await error()).fault == "address"
        computer.heal()
        computer.faults.garbage = True
        assert (await error()).fault == "header"
        computer.heal()
        computer.faults.slow = 2 * WAIT
        assert type(await error()) is Timeout
        computer.heal()
        assert (await asker.ask(at, ["BRIGH"]))["BRIGH"] == computer.screens[1].raws()["BRIGH"]
        await computer.vanish()
        assert type(await error()) is LineDown
        for address in ("", "a b", f"{at}#x"):
            assert type(await error(address)) is LineDown

    play(part)


def test_readings_and_commands_through_the_driver():
    async def part(computer, asker, at):
        polls = {name: group.model_copy(update={"every": 0.1}) for name, group in PROFILE.polls.items()}
        profile = PROFILE.model_copy(update={"polls": polls})
        device = Device(pole="P1", device="screen-2", profile=PROFILE.profile, bus="screens", address=f"{at}#02")
        watch = Watch({PROFILE.profile: profile}, [device])
        driver = Polling(asker=asker, **watch.options)
        two = computer.screens[2]
        async with running(driver):
            await watch.until(lambda: {name for _, name, *_ in watch.told} == set(PROFILE.points))
            for name in PROFILE.points:
                assert watch.of("P1/screen-2", name) == [(two.value(name), None)]
            for name, wanted in (("set_brightness", 12), ("switch", False), ("set_text", "12")):
                command = PROFILE.commands[name]
                await driver.write(device, command, wanted, lambda: None)
                assert await driver.read(device, command.read_back) == two.value(command.read_back) == wanted
            await watch.until(lambda: watch.of("P1/screen-2", "text")[-1] == ("12", None))
            computer.faults.deaf = True
            await driver.write(device, PROFILE.commands["set_brightness"], 99, lambda: None)
            assert await driver.read(device, "brightness") == 12  # the read-back tells that nothing was set

    play(part)


@contextlib.asynccontextmanager
async def peer(answer):
    """A screen that behaves as answer(reader, writer) does."""

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError):
            await answer(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def silence(reader, writer):
    await asyncio.sleep(5)


async def half(reader, writer):
    await reader.read(100)
    writer.write(b"\x01LEDRBRIGH01=7")
    await asyncio.sleep(5)


async def garbage(reader, writer):
    await reader.read(100)
    writer.write(bytes(range(2, 256)) * 4)
    await asyncio.sleep(5)


async def drip(reader, writer):
    for byte in b"\x01LEDRBRIGH01=" + b"7" * 200:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def reset(reader, writer):
    await reader.read(100)
    writer.write(b"\x01LEDRBRI")
    await writer.drain()
    writer.transport.abort()


async def ends(reader, writer):
    await reader.read(100)
    writer.write_eof()
    await asyncio.sleep(5)


async def flood(reader, writer):
    while True:
        writer.write(b"\x01LEDRBRIGH02=9\r" * 500)
        await writer.drain()


async def endless(reader, writer):
    writer.write(b"\x01")
    for _ in range(100):
        writer.write(b"7" * 1_000_000)
        await writer.drain()


async def nothing(reader, writer):
    for _ in range(100):
        writer.write(b"\0" * 1_000_000)
        await writer.drain()


@pytest.mark.parametrize(
    ("behaviour", "kind", "quality"),
    [
        (silence, Timeout, "timeout"), (half, BadAnswer, "crc"), (garbage, BadAnswer, "crc"), (drip, BadAnswer, "crc"),
        (reset, LineDown, "timeout"), (ends, LineDown, "timeout"),
        (flood, BadAnswer, "crc"), (endless, BadAnswer, "crc"), (nothing, BadAnswer, "crc"),
    ],
)  # fmt: skip
def test_a_hostile_screen_costs_little_time_and_memory(behaviour, kind, quality):
    async def scene():
        asker = MultivisionAsker(wait=WAIT)
        async with peer(behaviour) as at:
            tracemalloc.start()
            started = time.monotonic()
            with pytest.raises(kind) as told:
                await asker.ask(at, ["BRIGH"])
            assert time.monotonic() - started < 20
            assert tracemalloc.get_traced_memory()[1] < 3_000_000  # this process is the hostile screen too
            tracemalloc.stop()
            assert told.value.quality == quality

    asyncio.run(scene())


def test_a_late_answer_never_meets_the_next_question():
    async def scene():
        values = iter([11, 22])

        async def late(reader, writer):
            await reader.read(100)
            value = next(values)
            await asyncio.sleep(2 * WAIT if value == 11 else 0)
            writer.write(b"\x01LEDRBRIGH01=%d\r" % value)
            await writer.drain()
            await asyncio.sleep(1)

        asker = MultivisionAsker(wait=WAIT)
        async with peer(late) as at:
            with pytest.raises(Timeout):
                await asker.ask(at, ["BRIGH"])
            assert await asker.ask(at, ["BRIGH"]) == {"BRIGH": 22}

    asyncio.run(scene())


def test_unsolicited_frames_and_noise_before_the_answer_are_left_out():
    async def scene():
        async def chatty(reader, writer):
            writer.write(b"hello\r\n\x01LEDRBRIGH02=9\r\x01LEDRTEMPE01=40\r")
            await reader.read(100)
            writer.write(b"\x01LEDGBRIGH01=?\r\x01LEDRBRIGH01=75\r")
            await asyncio.sleep(1)

        async with peer(chatty) as at:
            assert await MultivisionAsker(wait=WAIT).ask(at, ["BRIGH"]) == {"BRIGH": 75}

    asyncio.run(scene())


def test_a_flood_is_given_up_after_its_first_bytes():
    sent = []

    async def counting(reader, writer):
        while True:
            writer.write(b"\x01LEDRBRIGH02=9\r" * 100)
            sent.append(1500)
            await writer.drain()

    async def scene():
        async with peer(counting) as at:
            with pytest.raises(BadAnswer):
                await MultivisionAsker(wait=5).ask(at, ["BRIGH"])

    asyncio.run(scene())
    assert sum(sent) < MOST_NOISE + 10_000_000  # the kernel's buffers, not ours


def test_a_command_that_waited_for_another_screen_too_long_does_not_leave():
    async def part(computer, asker, at):
        computer.screens[1].hold("brightness", 33)
        computer.faults.silent = True
        others = asyncio.create_task(asker.ask(f"{at}#2", ["BRIGH"]))  # it has the computer for WAIT
        await asyncio.sleep(0)
        until = time.monotonic() + WAIT / 2

        def in_time():
            if time.monotonic() > until:
                raise TimeoutError("expired")

        command = asyncio.create_task(asker.tell(at, "BRIGH", 75, before=in_time))
        await asyncio.sleep(WAIT / 2)
        computer.heal()
        with pytest.raises(TimeoutError, match="expired"):
            await command
        await asyncio.gather(others, return_exceptions=True)
        assert computer.screens[1].value("brightness") == 33

    play(part)
