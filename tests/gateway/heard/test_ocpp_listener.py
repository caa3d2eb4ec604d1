"""The central system against an emulated charger (the `ocpp` library's client) and against bare WebSockets."""

import asyncio
import base64
import contextlib
import itertools
import json
import time
import tracemalloc

import pytest
import websockets
from websockets.asyncio.client import connect

from device_profiles import loader
from gateway.heard import ocpp_listener
from gateway.heard.hearing import Hearing
from gateway.heard.ocpp_listener import OcppListener, address_of
from protocols import errors
from simulators.device import EmulatedDevice
from simulators.ocpp_charger import EmulatedCharger
from tests.gateway.probe import Watch, device, durable, running

QUICK = {"introduce_s": 0.1, "answer_s": 2.0, "follow_s": 2.0, "heartbeat_s": 1.0}
HEARTBEAT = '[2,"h","Heartbeat",{}]'


@contextlib.asynccontextmanager
async def listening(heard, disk=durable, **options):
    listener = OcppListener(listen="127.0.0.1:0", **{**QUICK, **options})
    async with running(_Runs(listener, heard, disk)):
        async with asyncio.timeout(20):
            while not listener.port:
                await asyncio.sleep(0.01)
        yield listener


class _Runs:
    def __init__(self, listener, heard, disk=durable):
        self.run = lambda: listener.run(heard, disk)
        self.close = listener.close


class Ears:
    """What a listener heard, and the latest of each item."""

    def __init__(self):
        self.all = []
        self.now = {}

    def __call__(self, address, items, time_ms):
        self.all.append((address, dict(items), time_ms))
        self.now |= {(address, name): value for name, value in items.items()}


async def until(true, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


def dial(listener, address="CP-1", **more):
    return connect(
        f"ws://127.0.0.1:{listener.port}/{address}", subprotocols=["ocpp1.6"], open_timeout=20, close_timeout=1, **more
    )


async def said(socket, text):
    """What the central system answers to this."""
    await socket.send(text)
    async with asyncio.timeout(20):
        while True:
            answer = json.loads(await socket.recv())
            if answer[0] != 2:
                return answer


def chain(profile="ocpp16", *, address="CP-1", **options):
    """(watch, listener, Hearing, emulated device, the site's device) of one charger."""
    model = loader.profiles()[profile]
    own = device("charger-1", address, profile=profile)
    watch = Watch({profile: model}, [own])
    listener = OcppListener(listen="127.0.0.1:0", **{**QUICK, **options})
    hearing = Hearing(listener=listener, **watch.hearing)
    emulated = EmulatedDevice(profile=model, pole="P1", name="charger-1", address=address)
    return watch, listener, hearing, emulated, own


@contextlib.asynccontextmanager
async def charging(listener, hearing, emulated, **options):
    """The gateway's side runs, and the charger dials in."""
    async with running(hearing):
        await until(lambda: listener.port)
        charger = EmulatedCharger(device=emulated, url=f"ws://127.0.0.1:{listener.port}", period_s=0.2, **options)
        async with charger:
            await until(lambda: charger.dialled)
            yield charger


def wrong(watch, emulated):
    """Readings that are not what the device held then."""
    return [
        (point, value, emulated.held(point, at, 1500))
        for _, point, at, value, quality, _ in watch.told
        if quality is None and point not in ("reachable",) and value not in emulated.held(point, at, 1500)
    ]


@pytest.mark.parametrize("profile", ["ocpp16", "ocpp16-3phase"])
def test_what_is_read_is_what_the_charger_held(profile):
    async def scenario():
        watch, listener, hearing, emulated, own = chain(profile)
        async with charging(listener, hearing, emulated) as charger:
            await watch.until(lambda: watch.of("P1/charger-1", "power"))
            await hearing.write(own, loader.profiles()[profile].commands["remote_start"], None, lambda: None)
            await watch.until(lambda: ("Charging", None) in watch.of("P1/charger-1", "status"))
            await watch.until(lambda: any((value or 0) > 3000 for value, _ in watch.of("P1/charger-1", "power")))
            await watch.until(lambda: charger.configured.get("ClockAlignedDataInterval") == "60")
            await hearing.write(own, loader.profiles()[profile].commands["remote_stop"], None, lambda: None)
            await watch.until(lambda: watch.of("P1/charger-1", "power")[-1] == (0, None))
            told = {point for _, point, _, _, quality, _ in watch.told if quality is None}
            assert told >= set(emulated.points) - {"max_current"}
            assert wrong(watch, emulated) == []
            events = {point for *_, point, _, _, _, event in watch.told if event}
            assert "status" in events

    asyncio.run(scenario())


def test_what_a_charger_would_forget_is_answered_when_it_is_on_the_disk():
    meter = (
        '[2,"m","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"2026-08-01T08:40:00Z","sampledValue":[]}]}]'
    )

    async def scenario():
        disk = asyncio.Event()
        async with listening(Ears(), disk.wait, introduce_s=60.0) as listener, dial(listener) as charger:
            assert (await said(charger, HEARTBEAT))[0] == 3, "nothing to keep"
            answer = asyncio.create_task(said(charger, meter))
            await asyncio.sleep(0.3)
            assert not answer.done()
            disk.set()
            assert (await answer)[:2] == [3, "m"]

    asyncio.run(scenario())


def test_a_limit_is_read_back_from_the_chargers_own_schedule():
    async def scenario():
        watch, listener, hearing, emulated, own = chain()
        commands = loader.profiles()["ocpp16"].commands
        async with charging(listener, hearing, emulated) as charger:
            await watch.until(lambda: watch.of("P1/charger-1", "status"))
            await hearing.write(own, commands["set_current"], 10.0, lambda: None)
            assert (charger.limit, await hearing.read(own, "max_current")) == (10.0, 10.0)
            charger.faults.rejects = True
            with pytest.raises(errors.Refused, match="SetChargingProfile with Rejected"):
                await hearing.write(own, commands["set_current"], 12.0, lambda: None)
            with pytest.raises(errors.Refused, match="RemoteStartTransaction with Rejected"):
                await hearing.write(own, commands["remote_start"], None, lambda: None)
            with pytest.raises(errors.Refused, match="no session runs on connector 1"):
                await hearing.write(own, commands["remote_stop"], None, lambda: None)

    asyncio.run(scenario())


def test_a_charger_out_of_service_ended_its_session():
    async def scenario():
        watch, listener, hearing, emulated, own = chain()
        commands = loader.profiles()["ocpp16"].commands
        async with charging(listener, hearing, emulated) as charger:
            await watch.until(lambda: watch.of("P1/charger-1", "status"))
            await hearing.write(own, commands["remote_start"], None, lambda: None)
            await until(lambda: charger.session)
            await hearing.write(own, commands["enable"], 0, lambda: None)
            assert charger.session == 0
            await watch.until(lambda: watch.of("P1/charger-1", "status")[-1] == ("Unavailable", None))
            await hearing.write(own, commands["unlock"], None, lambda: None)

    asyncio.run(scenario())


def test_a_start_that_nothing_follows_is_not_done():
    async def scenario():
        watch, listener, hearing, _, own = chain(follow_s=0.3)
        start = loader.profiles()["ocpp16"].commands["remote_start"]
        async with running(hearing):
            await until(lambda: listener.port)
            async with dial(listener) as socket:
                await until(lambda: watch.of("P1/charger-1", "reachable"))
                telling = asyncio.create_task(hearing.write(own, start, None, lambda: None))
                while (call := json.loads(await socket.recv()))[2] != "RemoteStartTransaction":
                    await socket.send(json.dumps([4, call[1], "NotSupported", "", {}]))
                await socket.send(json.dumps([3, call[1], {"status": "Accepted"}]))
                with pytest.raises(errors.Timeout, match="no session began"):
                    await telling

    asyncio.run(scenario())


def test_a_charger_that_is_gone_has_no_values_and_takes_no_commands():
    async def scenario():
        watch, listener, hearing, emulated, _ = chain()
        async with charging(listener, hearing, emulated) as charger:
            await watch.until(lambda: watch.of("P1/charger-1", "status"))
            await charger.vanish()
            await watch.until(lambda: watch.of("P1/charger-1", "reachable")[-1] == (False, None))
            assert watch.of("P1/charger-1", "status")[-1] == (None, "timeout")
            with pytest.raises(errors.LineDown, match="not connected"):
                await listener.tell("CP-1", "remote_start", None)
            await charger.restore()
            await watch.until(lambda: watch.of("P1/charger-1", "status")[-1] == ("Preparing", None))

    asyncio.run(scenario())


def test_a_session_goes_on_when_the_connection_comes_back():
    async def scenario():
        ears = Ears()
        async with listening(ears) as listener:
            async with dial(listener) as socket:
                start = '[2,"1","StartTransaction",{"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"x"}]'
                first = await said(socket, start)
                assert first[2]["idTagInfo"] == {"status": "Accepted"}
                number = first[2]["transactionId"]
                assert await said(socket, start) == first, "the same start again is the same session"
                other = await said(socket, start.replace('"meterStart":5', '"meterStart":6'))
                assert other[2]["transactionId"] > number
            async with dial(listener, "cp-1") as socket:
                await said(socket, HEARTBEAT)
                assert ears.now["cp-1", "transaction"] == other[2]["transactionId"]
                stop = {"transactionId": other[2]["transactionId"], "meterStop": 9, "timestamp": "x"}
                await said(socket, json.dumps([2, "2", "StopTransaction", stop]))
                assert ears.now["cp-1", "transaction"] == 0

    asyncio.run(scenario())


def test_ids_of_sessions_go_on_after_a_restart_of_the_gateway():
    first, second = (OcppListener(listen="127.0.0.1:0") for _ in range(2))
    numbers = [first._next_transaction() for _ in range(3)]
    assert numbers == sorted(set(numbers))
    assert second._next_transaction() >= numbers[0]
    second._last_transaction = 2_000_000_000
    assert second._next_transaction() == 2_000_000_001
    assert time.time() - ocpp_listener.FIRST_TRANSACTION_S < 2**31 - 1


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('[2,"7","Heartbeat",{}]', [3, "7", {"currentTime": None}]),
        ('[2,"7","Authorize",{"idTag":"a tag that is longer than twenty characters"}]', [3, "7", None]),
        ('[2,"7","DataTransfer",{"vendorId":"x"}]', [3, "7", {"status": "Rejected"}]),
        ('[2,"7","FirmwareStatusNotification",{"status":"Idle"}]', [3, "7", {}]),
        ('[2,"7","DiagnosticsStatusNotification",{"status":"Idle"}]', [3, "7", {}]),
        ('[2,"7","NoSuchThing",{}]', [4, "7", "NotImplemented", None, {}]),
        ('[2,"7","RemoteStartTransaction",{"idTag":"x"}]', [4, "7", "NotSupported", None, {}]),
        ('[2,"7","StatusNotification",{"connectorId":"one"}]', [4, "7", "FormationViolation", None, {}]),
        ('[2,"7","MeterValues",[]]', [4, "7", "FormationViolation", None, {}]),
        ('[2,"7","StopTransaction",{"transactionId":"x"}]', [4, "7", "FormationViolation", None, {}]),
    ],
)
def test_each_call_is_answered(text, answer):
    async def scenario():
        async with listening(Ears()) as listener, dial(listener) as socket:
            got = await said(socket, text)
            assert [type(part) for part in got] == [
                type(part) if part is not None else type(got[i]) for i, part in enumerate(answer)
            ]
            for mine, theirs in zip(answer, got, strict=True):
                if isinstance(mine, dict) and None in mine.values():
                    assert mine.keys() == theirs.keys()
                elif mine is not None:
                    assert mine == theirs

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "junk",
    ["", "[", "null", "{}", "[2]", '[2,"1"]', '[3,"nobody asked",{}]', '[4,"nobody asked","X","",{}]', "[" * 20_000,
     '[2,1,"Heartbeat",{}]', '[9,"1","Heartbeat",{}]', b"\xff\xfe\x00", '[2,"1","MeterValues",NaN]', "9" * 5000],
)  # fmt: skip
def test_junk_is_passed_over_and_the_next_message_is_answered(junk):
    async def scenario():
        ears = Ears()
        async with listening(ears) as listener, dial(listener) as socket:
            await socket.send(junk)
            assert (await said(socket, HEARTBEAT))[1] == "h"
            assert {name for _, items, _ in ears.all for name in items} == {"reachable"}

    asyncio.run(scenario())


def test_a_command_that_expires_while_another_is_under_way_never_reaches_the_charger():
    class Expired(Exception):
        pass

    def too_late():
        raise Expired

    async def scenario():
        ears = Ears()
        async with listening(ears, answer_s=20, introduce_s=60) as listener, dial(listener) as socket:
            await until(lambda: ears.all)
            first = asyncio.create_task(listener.tell("CP-1", "reset", None))
            sent = json.loads(await socket.recv())
            second = asyncio.create_task(listener.tell("CP-1", "unlock", None, before=too_late))
            await asyncio.sleep(0.1)
            assert not second.done(), "it waits for its turn"
            await socket.send(json.dumps([3, sent[1], {"status": "Accepted"}]))
            await first
            with pytest.raises(Expired):
                await second
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.recv(), 0.3)

    asyncio.run(scenario())


def test_a_late_answer_answers_no_other_question():
    async def scenario():
        ears = Ears()
        async with listening(ears, answer_s=0.2, introduce_s=60) as listener, dial(listener) as socket:
            await until(lambda: ears.all)
            with pytest.raises(errors.Timeout, match="no answer to Reset"):
                await listener.tell("CP-1", "reset", None)
            late = json.loads(await socket.recv())
            telling = asyncio.create_task(listener.tell("CP-1", "reset", None))
            assert json.loads(await socket.recv())[1:3] != late[1:3]
            await socket.send(json.dumps([3, late[1], {"status": "Accepted"}]))
            with pytest.raises(errors.Timeout):
                await telling

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ([3, None, {"status": "Rejected"}], errors.Refused),
        ([3, None, {}], errors.Refused),
        ([3, None, {"status": ["Accepted"]}], errors.Refused),
        ([3, None, "Accepted"], errors.BadAnswer),
        ([4, None, "InternalError", "", {}], errors.Refused),
    ],
)
def test_an_answer_that_is_no_consent_is_an_error(answer, error):
    async def scenario():
        ears = Ears()
        async with listening(ears, introduce_s=60) as listener, dial(listener) as socket:
            await until(lambda: ears.all)
            telling = asyncio.create_task(listener.tell("CP-1", "reset", None))
            call = json.loads(await socket.recv())
            await socket.send(json.dumps([answer[0], call[1], *answer[2:]]))
            with pytest.raises(error):
                await telling

    asyncio.run(scenario())


def test_a_connection_that_breaks_ends_a_command():
    async def scenario():
        ears = Ears()
        async with listening(ears, introduce_s=60, answer_s=30) as listener, dial(listener) as socket:
            await until(lambda: ears.all)
            telling = asyncio.create_task(listener.tell("CP-1", "reset", None))
            await socket.recv()
            socket.transport.abort()
            with pytest.raises(errors.LineDown):
                await telling

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("item", "raw"),
    [("explode", None), ("0:remote_start", None), ("0:unlock", None), ("99:reset", None), ("current_limit", "x"),
     ("current_limit", None), ("current_limit", 1e300)],
)  # fmt: skip
def test_what_ocpp_cannot_tell_is_refused(item, raw):
    async def scenario():
        ears = Ears()
        async with listening(ears, introduce_s=60) as listener, dial(listener):
            await until(lambda: ears.all)
            with pytest.raises(errors.DeviceError):
                await listener.tell("CP-1", item, raw)

    asyncio.run(scenario())


def test_who_dials_in_again_replaces_the_old_connection():
    async def scenario():
        ears = Ears()
        async with listening(ears) as listener, dial(listener) as first:
            await said(first, HEARTBEAT)
            async with dial(listener, "/CP-1") as second:
                await said(second, HEARTBEAT)
                async with asyncio.timeout(20):
                    await first.wait_closed()
                await said(second, HEARTBEAT)
                assert ears.now["CP-1", "reachable"] is True
                assert all(items.get("reachable") is not False for _, items, _ in ears.all)
            await until(lambda: ears.now["CP-1", "reachable"] is False)

    asyncio.run(scenario())


def test_a_state_has_our_time_and_a_measured_value_the_chargers():
    async def scenario():
        ears = Ears()
        async with listening(ears, introduce_s=60) as listener, dial(listener) as socket:
            start = {"connectorId": 2, "idTag": "A", "meterStart": 5, "timestamp": "2026-11-21T10:00:00Z"}
            number = (await said(socket, json.dumps([2, "1", "StartTransaction", start])))[2]["transactionId"]
            told = [(items, at) for _, items, at in ears.all if "reachable" not in items]
            energy = {"2:meter.Energy.Active.Import.Register": 5}
            assert told == [({"2:transaction": number}, None), (energy, 1_795_255_200_000)]

    asyncio.run(scenario())


def test_a_charger_that_answers_nothing_is_not_asked_on():
    async def scenario():
        ears = Ears()
        async with listening(ears, introduce_s=0, answer_s=0.2) as listener, dial(listener) as socket:
            async with asyncio.timeout(20):
                asked = [json.loads(await socket.recv())]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    while True:
                        asked.append(json.loads(await socket.recv()))
            assert [call[2] for call in asked] == ["ChangeConfiguration"]

    asyncio.run(scenario())


def test_ids_and_passwords_are_checked():
    def basic(user, password):
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

    async def status(listener, address, headers):
        try:
            async with dial(listener, address, additional_headers=headers):
                return 101
        except websockets.InvalidStatus as refusal:
            return refusal.response.status_code

    async def scenario():
        async with listening(Ears(), password="secret", known=["CP-1", "CP-2"]) as listener:
            assert await status(listener, "CP-1", basic("CP-1", "secret")) == 101
            assert await status(listener, "ocpp/CP-1", basic("cp-1", "secret")) == 101
            assert await status(listener, "CP-3", basic("CP-3", "secret")) == 404
            assert await status(listener, "", basic("", "secret")) == 404
            assert await status(listener, "CP-1", basic("CP-1", "wrong")) == 401
            assert await status(listener, "CP-2", basic("CP-1", "secret")) == 401
            assert await status(listener, "CP-1", {}) == 401
            assert await status(listener, "CP-1", {"Authorization": "Basic ???"}) == 401
            assert await status(listener, "CP-1", {"Authorization": "Bearer secret"}) == 401
            assert listener.refused == 7

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "address"),
    [("/CP-1", "CP-1"), ("//CP-1", "CP-1"), ("/a/b/CP-1/", "CP-1"), ("/CP%201?x=1", "CP 1"), ("/", ""), ("", ""),
     ("/%ff", ""), ("/%00", ""), ("/" + "x" * 49, ""), ("/桩", ""), ("//[", "["), ("/\x1b", "")],
)  # fmt: skip
def test_the_address_ends_the_path(path, address):
    assert address_of(path) == address


def test_a_charger_of_another_version_is_refused():
    async def scenario():
        async with listening(Ears()) as listener:
            with pytest.raises(websockets.InvalidStatus) as refusal:
                async with connect(f"ws://127.0.0.1:{listener.port}/CP-1", subprotocols=["ocpp2.0.1"]):
                    pass
            assert refusal.value.response.status_code == 400

    asyncio.run(scenario())


def test_a_message_of_100_megabytes_ends_the_connection_and_takes_no_memory():
    async def scenario():
        ears = Ears()
        async with listening(ears) as listener:
            tracemalloc.start()
            reader, writer = await handshake(listener)
            tracemalloc.reset_peak()
            base = tracemalloc.get_traced_memory()[0]
            size = 100 * 1024 * 1024
            writer.write(b"\x81\xff" + size.to_bytes(8, "big") + b"\0\0\0\0")
            chunk = b"x" * 65536
            with contextlib.suppress(ConnectionError):
                for _ in range(size // len(chunk)):
                    writer.write(chunk)
                    await writer.drain()
                    if writer.transport.is_closing() or reader.at_eof():
                        break
            grown = tracemalloc.get_traced_memory()[1] - base
            tracemalloc.stop()
            assert grown < 4 * 1024 * 1024, grown
            await until(lambda: ears.now["CP-1", "reachable"] is False)
            writer.close()

    asyncio.run(scenario())


def test_a_flood_is_read_slowly_and_takes_no_memory(monkeypatch):
    monkeypatch.setattr("gateway.heard.ocpp_station.BURST", 20.0)
    status = '[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]'

    async def flood(socket):
        while True:
            await socket.send(status)

    async def scenario():
        ears = Ears()
        async with listening(ears) as listener, dial(listener, ping_interval=None, max_queue=None) as socket:
            await until(lambda: ears.all)
            tracemalloc.start()
            base = tracemalloc.get_traced_memory()[0]
            before = len(ears.all)
            pouring = asyncio.create_task(flood(socket))
            began = time.monotonic()
            await asyncio.sleep(2)
            passed = time.monotonic() - began
            taken, peak = len(ears.all) - before, tracemalloc.get_traced_memory()[1] - base
            tracemalloc.stop()
            pouring.cancel()
            await asyncio.gather(pouring, return_exceptions=True)
            socket.transport.abort()
            assert 20 <= taken <= 20 + 3 * 20 * passed, taken
            assert peak < 8 * 1024 * 1024, peak
            async with dial(listener, "CP-2") as other:
                assert (await said(other, HEARTBEAT))[0] == 3

    asyncio.run(scenario())


def test_who_dials_and_says_nothing_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(ocpp_listener, "OPEN_S", 0.5)

    async def scenario():
        async with listening(Ears()) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            drip, dripping = await asyncio.open_connection("127.0.0.1", listener.port)

            async def drop():
                for letter in itertools.chain(b"GET /CP-1 HTTP/1.1\r\n", itertools.cycle(b"X: y\r\n")):
                    dripping.write(bytes([letter]))
                    await asyncio.sleep(0.1)

            dropping = asyncio.create_task(drop())
            async with asyncio.timeout(20):
                assert await reader.read() == b""
                with contextlib.suppress(ConnectionError):
                    await drip.read()
            dropping.cancel()
            writer.close()
            dripping.close()

    asyncio.run(scenario())


def test_a_frame_that_drips_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(ocpp_listener, "PING_S", 0.3)

    async def scenario():
        ears = Ears()
        async with listening(ears) as listener:
            reader, writer = await handshake(listener)
            writer.write(b"\x81\xfe\x40\x00\0\0\0\0")  # a text of 16 KiB begins
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(20):
                    while not reader.at_eof() and not writer.transport.is_closing():
                        writer.write(b"x")
                        await writer.drain()
                        await asyncio.sleep(0.05)
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(0.01):
                                await reader.read(100)
            await until(lambda: ears.now["CP-1", "reachable"] is False)
            writer.close()

    asyncio.run(scenario())


def test_a_charger_that_does_not_read_is_hung_up_on(monkeypatch):
    monkeypatch.setattr("gateway.heard.ocpp_station.BURST", 1e9)

    async def scenario():
        ears = Ears()
        async with listening(ears, answer_s=0.5) as listener:
            _, writer = await handshake(listener)
            writer.transport.pause_reading()
            frame = json.dumps([2, "7" * 60, "x" * 200, {}]).encode()
            header = bytes([0x81, 0xFE]) + len(frame).to_bytes(2, "big") + b"\0\0\0\0"
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(20):
                    while not writer.transport.is_closing() and ears.now["CP-1", "reachable"]:
                        writer.write((header + frame) * 50)
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(0.5):
                                await writer.drain()
            await until(lambda: ears.now["CP-1", "reachable"] is False)
            writer.transport.abort()

    asyncio.run(scenario())


def test_connections_are_bounded(monkeypatch):
    monkeypatch.setattr(ocpp_listener, "MAX_CONNECTIONS", 3)

    async def scenario():
        async with listening(Ears()) as listener, contextlib.AsyncExitStack() as stack:
            for index in range(3):
                await stack.enter_async_context(dial(listener, f"CP-{index}"))
            with pytest.raises((websockets.WebSocketException, OSError, EOFError)):
                await stack.enter_async_context(dial(listener, "CP-9"))
            await stack.aclose()
            async with asyncio.timeout(20):
                while True:
                    with contextlib.suppress(websockets.WebSocketException, OSError, EOFError):
                        async with dial(listener, "CP-9") as socket:
                            assert (await said(socket, HEARTBEAT))[0] == 3
                            return

    asyncio.run(scenario())


def test_a_port_that_is_taken_is_tried_again(monkeypatch):
    monkeypatch.setattr(ocpp_listener, "RETRY_S", (0.05, 0.1))

    async def scenario():
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        listener = OcppListener(listen=f"127.0.0.1:{port}", **QUICK)
        async with running(_Runs(listener, Ears())):
            await asyncio.sleep(0.2)
            taken.close()
            await taken.wait_closed()
            async with asyncio.timeout(20):
                while True:
                    with contextlib.suppress(OSError, websockets.WebSocketException):
                        async with dial(listener) as socket:
                            assert (await said(socket, HEARTBEAT))[0] == 3
                            return
                    await asyncio.sleep(0.05)

    asyncio.run(scenario())


async def handshake(listener, address="CP-1"):
    """A bare connection after its opening handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(
        f"GET /{address} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode()
    )
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return reader, writer
