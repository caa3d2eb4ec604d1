import asyncio
import contextlib
import json

import aiomqtt
import pytest

from gateway import uplink as uplinks
from gateway.disk.spool import Spool
from gateway.disk.spool_thread import SpoolThread
from gateway.disk.window import TELEMETRY_WINDOW
from gateway.uplink import Node, Uplink
from tests.gateway.spool_thread import on_its_thread
from wire import messages, packs, stored, topics

AREA = "wuhou"


def reading(index):
    return ("P0001/air-1", "x", 1_800_000_000_000 + index * 10, index, None)


def connect(broker, user):
    return {"hostname": "127.0.0.1", "port": broker.port, "username": user, "password": broker.passwords[user]}


class City:
    """A node's uplink on a real broker, and what somebody with ingest's rights sees of it."""

    def __init__(self, broker, tmp_path, *, node="gw-1", user="gw-1", by_broker=False):
        self.broker = broker
        self.disk = SpoolThread(Spool(path=tmp_path / "gw.db", max_bytes=8 << 20))
        self.commands = []
        self.configurations = []
        self.seen = []
        self.uplink = Uplink(
            node=Node(AREA, node, connect(broker, user), confirm_by_broker=by_broker),
            disk=self.disk, status=self.status, birth=self.birth, on_command=self.command,
            on_config=lambda body, retained: self.configurations.append((body, retained)),
        )  # fmt: skip

    async def status(self, online):
        state = await self.disk.run(Spool.state)
        return {
            "online": online, "ep": state.epoch, "head": state.head, "stored": state.stored, "pending": state.pending,
            "dropped": state.dropped, "readings": state.readings, "clock": "ok", "version": "0", "time": 1,
        }  # fmt: skip

    def birth(self):
        return {"ep": self.disk.spool.epoch, "version": "0", "time": 1, "profiles": {}, "devices": []}

    async def command(self, body, reply):
        self.commands.append(body)
        await reply({"id": "c1", "state": "done", "time": 1})

    def add(self, index, event=False):
        numbers = on_its_thread(self.disk, lambda spool: spool.append(event=event, readings=[reading(index)]))
        self.uplink.wake()
        return numbers[0]

    async def __aenter__(self):
        self.stack = contextlib.AsyncExitStack()
        self.watcher = await self.stack.enter_async_context(aiomqtt.Client(**connect(self.broker, "ingest")))
        await self.watcher.subscribe("poles/+/+/up/#", qos=1)
        self.tasks = [
            asyncio.create_task(each) for each in (self.uplink.run(), self.uplink.run_commands(), self.watch())
        ]
        return self

    async def __aexit__(self, *error):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        with contextlib.suppress(aiomqtt.MqttError):  # the broker may have been killed
            await self.stack.aclose()
        self.disk.close()

    async def watch(self):
        with contextlib.suppress(aiomqtt.MqttError):
            async for message in self.watcher.messages:
                self.seen.append((topics.parse(str(message.topic))[3], message.payload))

    def numbers(self, channel):
        return [packs.decode(body).number for seen, body in self.seen if seen == channel]

    async def say_stored(self, epoch, ranges):
        await self.watcher.publish(topics.down(AREA, "gw-1", "stored"), stored.encode(epoch, ranges))

    async def until(self, true, seconds=15):
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.02)


def test_packs_go_out_and_leave_the_disk_when_ingest_says_so(broker, tmp_path):
    async def scenario():
        async with City(broker, tmp_path) as city:
            city.add(0)
            city.add(1, event=True)
            await city.until(lambda: city.numbers("event") == [2] and city.numbers("telemetry") == [1])
            assert {"birth", "status"} <= {channel for channel, _ in city.seen}
            assert on_its_thread(city.disk, Spool.state).pending == 2, "the broker's acknowledgement is not enough"
            await city.say_stored("00000000", [[1, 2]])
            await city.say_stored(city.disk.spool.epoch, [[2, 2]])
            await city.until(lambda: on_its_thread(city.disk, Spool.state).pending == 1)
            assert on_its_thread(city.disk, lambda spool: spool.pack(1)) is not None

    asyncio.run(scenario())


def test_a_new_connection_brings_birth_status_and_what_is_unconfirmed_again(broker, tmp_path):
    async def scenario():
        async with City(broker, tmp_path) as city:
            city.add(0)
            await city.until(lambda: city.numbers("telemetry") == [1])
            broker.restart()
            city.tasks.append(asyncio.create_task(again(city)))
            await city.until(lambda: city.numbers("telemetry") == [1, 1])
            assert [channel for channel, _ in city.seen].count("birth") >= 2

    async def again(city):
        async with aiomqtt.Client(**connect(broker, "ingest")) as watcher:
            await watcher.subscribe("poles/+/+/up/#", qos=1)
            async for message in watcher.messages:
                city.seen.append((topics.parse(str(message.topic))[3], message.payload))

    asyncio.run(scenario())


def test_where_the_broker_confirms_its_refusal_confirms_nothing(broker, tmp_path, monkeypatch):
    monkeypatch.setattr(uplinks, "ACK_S", 1.0)

    async def scenario():
        # gw-1's identity does not allow gw-9's topics: mosquitto acknowledges such a publish, with a reason
        async with City(broker, tmp_path, node="gw-9", user="gw-1", by_broker=True) as city:
            city.add(0)
            await asyncio.sleep(4)
            assert on_its_thread(city.disk, Spool.state).pending == 1
            assert city.numbers("telemetry") == []

    asyncio.run(scenario())


def test_where_the_broker_confirms_its_acknowledgement_is_enough(broker, tmp_path):
    async def scenario():
        async with City(broker, tmp_path, by_broker=True) as city:
            for index in range(100):
                city.add(index)
            await city.until(lambda: on_its_thread(city.disk, Spool.state).pending == 0)
            await city.until(lambda: sorted(city.numbers("telemetry")) == list(range(1, 101)))

    asyncio.run(scenario())


def test_commands_come_in_and_replies_go_out(broker, tmp_path):
    async def scenario():
        async with City(broker, tmp_path) as city, aiomqtt.Client(**connect(broker, "operator")) as operator:
            await city.until(lambda: city.uplink.connected)
            await operator.publish(topics.down(AREA, "gw-1", "command"), b"any bytes", qos=1)
            await city.until(lambda: "reply" in [channel for channel, _ in city.seen])
            assert city.commands == [b"any bytes"]
            reply = next(body for channel, body in city.seen if channel == "reply")
            assert messages.decode(reply, messages.REPLY)["state"] == "done"

    asyncio.run(scenario())


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe", b"[]", b'{"ep":"zzzz","sq":[[1,1]]}', b'{"ep":"%s","sq":[[1,0]]}'])
def test_a_confirmation_that_makes_no_sense_confirms_nothing(broker, tmp_path, junk):
    async def scenario():
        async with City(broker, tmp_path) as city:
            city.add(0)
            await city.until(lambda: city.numbers("telemetry") == [1])
            epoch = city.disk.spool.epoch
            await city.watcher.publish(topics.down(AREA, "gw-1", "stored"), junk.replace(b"%s", epoch.encode()))
            await asyncio.sleep(0.3)
            assert on_its_thread(city.disk, Spool.state).pending == 1
            await city.say_stored(epoch, [[1, 1]])
            await city.until(lambda: on_its_thread(city.disk, Spool.state).pending == 0)

    asyncio.run(scenario())


def test_the_will_and_the_goodbye_say_offline_with_the_counts(broker, tmp_path):
    async def scenario():
        async with City(broker, tmp_path) as city:
            city.add(0)
            await city.until(lambda: city.numbers("telemetry") == [1])
            city.tasks[0].cancel()
            await asyncio.gather(city.tasks[0], return_exceptions=True)
            await city.uplink.say_goodbye()
            await city.until(lambda: city.seen[-1][0] == "status" and not json.loads(city.seen[-1][1])["online"])
            last = messages.decode(city.seen[-1][1], messages.STATUS)
            assert (last["head"], last["stored"], last["pending"]) == (1, 0, 1)

    asyncio.run(scenario())


def test_a_command_for_a_node_that_said_goodbye_waits_for_its_return(broker, tmp_path):
    async def scenario():
        async with City(broker, tmp_path) as city, aiomqtt.Client(**connect(broker, "operator")) as operator:
            await city.until(lambda: city.uplink.connected)
            city.tasks[0].cancel()
            await asyncio.gather(city.tasks[0], return_exceptions=True)
            command = topics.down(AREA, "gw-1", "command")
            await operator.publish(command, b"before the goodbye", qos=1)
            await city.uplink.say_goodbye()
            await operator.publish(command, b"after it", qos=1)
            city.tasks.append(asyncio.create_task(city.uplink.run()))
            await city.until(lambda: city.commands == [b"before the goodbye", b"after it"])

    asyncio.run(scenario())


def test_packs_that_were_dropped_under_way_leave_room_for_others_once_they_are_confirmed(broker, tmp_path):
    async def scenario():
        async with City(broker, tmp_path) as city:
            for index in range(TELEMETRY_WINDOW + 1):
                city.add(index)
            under_way = list(range(1, TELEMETRY_WINDOW + 1))
            await city.until(lambda: sorted(city.numbers("telemetry")) == under_way)
            await city.disk.run(lambda spool: spool._drop("telemetry", under_way, "full"))
            await city.say_stored(city.disk.spool.epoch, [[1, TELEMETRY_WINDOW]])
            await city.until(lambda: TELEMETRY_WINDOW + 1 in city.numbers("telemetry"))

    asyncio.run(scenario())
