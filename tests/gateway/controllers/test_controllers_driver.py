"""One controller on a line, beside a real broker: what each of three that come and go means for the other two."""

import asyncio

import aiomqtt
import pytest

from edge.boards.simulated import Board
from edge.serial_link import Client
from gateway.controllers import controller, session
from gateway.controllers.frame import DOWN_MOST
from tests.gateway.controllers.rig import WILL, play, played
from wire import topics

pytestmark = pytest.mark.parametrize("broker", [("ctl-1", "ctl-2", "ingest", "operator")], indirect=True)

CONFIRMED = b'{"ep":"9f3c21aa","sq":[[1,1]]}'
DOWN = "poles/wuhou/ctl-1/down/"


@played
async def test_everything_that_a_node_says_and_hears_passes(rig):
    rig.city.confirms = False
    await rig.connect()
    for channel in topics.UP:
        await rig.publish(channel, channel.encode() * 100)
    await rig.until(lambda: all(channel.encode() * 100 in rig.city.of("ctl-1", channel) for channel in topics.UP))
    async with rig.city.client("operator") as operator, rig.city.client("ingest") as ingest:
        for channel in ("command", "config", "release"):
            await operator.publish(DOWN + channel, channel.encode() * 200, qos=1)
        await ingest.publish(DOWN + "stored", CONFIRMED)
        await rig.until(lambda: len([1 for channel, _ in rig.told if channel != "time"]) == 4)
    for channel in ("command", "config", "release"):
        assert rig.of(channel) == [channel.encode() * 200]
    assert rig.of("stored") == [CONFIRMED]
    assert rig.told[0][0] == "time"
    assert all(abs(int.from_bytes(at, "big") - rig.now_ms()) < 20_000 for at in rig.of("time"))
    retained = []
    async with rig.city.client("ingest") as ingest:
        await ingest.subscribe("poles/+/+/up/#", qos=1)
        async with asyncio.timeout(10):
            async for message in ingest.messages:
                retained.append(str(message.topic).rpartition("/")[2])
                if len(retained) == 2:
                    break
    assert sorted(retained) == ["birth", "status"], "what the contract says is retained, is"


@played
async def test_an_acknowledgement_means_that_the_broker_has_it(rig):
    await rig.connect()
    rig.broker.kill()
    with pytest.raises(OSError, match="gone"):
        await rig.publish("telemetry", b"[]")
    again = asyncio.create_task(rig.client.connect(WILL))
    await asyncio.sleep(1)
    assert not again.done(), "a gateway without a broker takes nothing"
    await asyncio.to_thread(rig.broker.start)
    async with asyncio.timeout(30):
        await again
    await rig.publish("telemetry", b'[{"ep":"9f3c21aa","sq":1}]')
    await rig.until(lambda: rig.city.numbers("ctl-1") == [1])


@played
async def test_the_will_is_told_when_the_controller_falls_silent_and_when_the_gateway_stops(rig):
    await rig.connect()
    controller.SILENCE_S, before = 1.0, controller.SILENCE_S
    try:
        rig.sleep()
        await rig.until(lambda: not rig.city.is_online("ctl-1"))
        assert rig.city.of("ctl-1", "status")[-1] == WILL
        assert rig.logged("controller offline")[0]["because"] == "it does not answer"
        await rig.until(lambda: rig.driver.figures["silent"] == 1)
    finally:
        controller.SILENCE_S = before
    await rig.until(lambda: rig.client._task is None)
    await rig.connect()
    await rig.stop()
    await rig.until(lambda: not rig.city.is_online("ctl-1"))
    await rig.start()


@played
async def test_a_controller_that_begins_anew_is_offline_and_online_again(rig):
    await rig.connect()
    rig.city.heard.clear()
    await rig.connect()
    states = [WILL, b'{"online":true}']
    await rig.until(lambda: rig.city.of("ctl-1", "status") == states)


@played
async def test_a_command_is_the_brokers_until_the_controller_has_it(rig):
    await rig.connect()
    rig.sleep()
    await rig.until(lambda: rig.client._task is None)
    async with rig.city.client("operator") as operator:
        await operator.publish(DOWN + "command", b'{"id":"c-1"}', qos=1)
        await asyncio.sleep(0.5)  # the gateway has it now, and the controller is without power
        await rig.stop()
        await rig.start()
        await rig.connect()
        await rig.until(lambda: rig.of("command") == [b'{"id":"c-1"}'] and rig.link.is_free)  # the gateway knows, too
        await rig.stop()
        await rig.start()
        await rig.connect()
        await operator.publish(DOWN + "command", b'{"id":"c-2"}', qos=1)
        await rig.until(lambda: len(rig.of("command")) > 1)
    assert rig.of("command") == [b'{"id":"c-1"}', b'{"id":"c-2"}'], "once"


@played
async def test_what_is_too_long_for_a_controller_is_told_in_the_log_and_holds_nothing_up(rig):
    await rig.connect()
    async with rig.city.client("operator") as operator:
        for size in (DOWN_MOST, DOWN_MOST + 1, 100_000, 7):
            await operator.publish(DOWN + "command", b"x" * size, qos=1)
        await rig.until(lambda: len(rig.of("command")) == 2)
    assert [len(body) for body in rig.of("command")] == [DOWN_MOST, 7]
    assert [entry["bytes"] for entry in rig.logged("too long for a controller: not told")] == [DOWN_MOST + 1, 100_000]
    assert rig.logged("too long for a controller: not told")[0]["controller"] == "ctl-1"


@played
async def test_many_messages_for_a_controller_come_in_their_order(rig):
    await rig.connect()
    wanted = [b'{"id":"c-%d"}' % index for index in range(40)]
    async with rig.city.client("operator") as operator:
        for body in wanted:
            await operator.publish(DOWN + "command", body, qos=1)
    await rig.until(lambda: len(rig.of("command")) >= len(wanted))
    assert rig.of("command") == wanted


@played
async def test_a_port_that_vanishes_for_a_moment_costs_no_session(rig):
    await rig.connect()
    before = rig.client._session
    rig.line.pull_out("gateway")
    await rig.until(lambda: rig.driver.figures["line_down"])
    publishing = asyncio.create_task(rig.publish("event", b"[]"))
    await asyncio.sleep(0.5)
    rig.line.plug_in("gateway")
    await publishing
    assert rig.client._session == before
    assert not rig.driver.figures["line_down"]
    assert len(rig.logged("the line of controllers is down")) == 1
    assert len(rig.logged("the line of controllers is there again")) == 1


@played
async def test_a_wrong_password_is_told_with_the_controllers_name(rig):
    await rig.stop()
    rig.nodes[17] = rig.node("ctl-1", password="wrong")
    await rig.start()
    connecting = asyncio.create_task(rig.client.connect(WILL))
    event = "broker: connection of a controller lost or refused"
    await rig.until(lambda: rig.logged(event))
    entry = rig.logged(event)[0]
    assert (entry["controller"], entry["address"], entry["bus"]) == ("ctl-1", 17, "line")
    assert "password" in entry["error"]
    assert not connecting.done()
    await rig.stop()
    rig.nodes[17] = rig.node("ctl-1")
    await rig.start()
    await asyncio.gather(connecting, return_exceptions=True)  # it may have been told of the other gateway, or not yet
    await rig.connect()


@played
async def test_a_certificate_that_cannot_be_read_is_told_and_holds_nobody_up(rig):
    await rig.stop()
    files = {"ca_certs": str(rig.folder / "none.pem"), "certfile": None, "keyfile": None}
    rig.nodes = {17: rig.node("ctl-1", tls_params=aiomqtt.TLSParameters(**files))}
    await rig.start()
    connecting = asyncio.create_task(rig.client.connect(WILL))
    await rig.until(lambda: [entry for entry in rig.logs.entries if "No such file" in str(entry.get("error"))])
    await rig.stop()
    rig.nodes[17] = rig.node("ctl-1")
    await rig.start()
    await asyncio.gather(connecting, return_exceptions=True)
    await rig.connect()


@played
async def test_under_anothers_name_a_controller_says_nothing(rig):
    """The broker's ACL: who shows ctl-2's password is ctl-2, and may not write what is ctl-1's."""
    await rig.stop()
    rig.nodes[17] = rig.node("ctl-1", username="ctl-2", password=rig.broker.passwords["ctl-2"])
    await rig.start()
    async with asyncio.timeout(20):
        await rig.client.connect(WILL)
    session.ACK_S, before = 1.0, session.ACK_S
    try:
        with pytest.raises(OSError, match="gone"):
            await rig.publish("telemetry", b"[]")
    finally:
        session.ACK_S = before
    assert rig.city.heard == []


@played
async def test_two_controllers_with_one_address_do_not_mix_their_messages(rig):
    """Somebody set a wrong address: frames collide or pass for the other's, but no message is made of both."""
    rig.city.confirms = False
    await rig.connect()
    board = Board({"uarts": {"up": {"port": rig.line.path("twin")}}}, str(rig.folder))
    twin = Client({"uplink": {"uart": "up", "address": 17}}, board, lambda *_: None)
    connecting = asyncio.create_task(twin.connect(b"T" * 600))
    connecting.add_done_callback(lambda task: task.exception())
    asyncio.get_running_loop().call_later(2, lambda: twin._task.cancel())
    bodies = [b"%d " % index + b"x" * 600 for index in range(10)]
    for body in bodies:
        async with asyncio.timeout(30):
            while True:
                try:
                    await rig.client.publish("telemetry", len(body), (body,))
                    break
                except OSError:
                    await asyncio.gather(rig.client.connect(WILL), return_exceptions=True)
    await rig.until(lambda: bodies[-1] in rig.city.of("ctl-1", "telemetry"))
    assert set(rig.city.of("ctl-1", "telemetry")) == set(bodies)


@pytest.mark.parametrize("baud", [1200, 9600])
def test_a_slow_line_takes_its_time(broker, tmp_path, baud):
    async def scene(rig):
        await rig.connect()
        body = b'[{"ep":"9f3c21aa","sq":1,"n":"%s"}]' % (b"x" * 250)
        await rig.publish("telemetry", body)
        await rig.until(lambda: rig.city.of("ctl-1", "telemetry") == [body])
        await rig.until(lambda: rig.of("stored") == [CONFIRMED])

    play(scene, broker, tmp_path, baud=baud)


@played
async def test_while_the_gateway_does_not_know_the_time_it_tells_none(rig):
    await rig.stop()
    rig.now_ms = lambda: 3_600_000  # since the start of the machine
    await rig.start()
    await rig.connect()
    await asyncio.sleep(0.5)
    assert rig.of("time") == []
