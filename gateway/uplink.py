"""The gateway's side of MQTT: packs from the spool go OUT, confirmations and commands come IN.

One connection at a time, for ever: what breaks it is said once, and it is made again after a jittered, capped wait.
"""

import asyncio
import contextlib
import functools
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import aiomqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.disk.spool import Spool
from gateway.disk.spool_thread import SpoolThread
from gateway.disk.window import Send, Window
from gateway.identity import Node
from gateway.mqtt_client import ACK_S, Client, apart, explained
from wire import messages, stored, topics
from wire.backoff import Backoff
from wire.errors import WireError

log = structlog.get_logger("uplink")

KEEPALIVE_S = 15
RETRY_S = (0.3, 10.0)  # first wait and longest wait between connections
COMMANDS_AT_ONCE = 8
STATUS_S = 5.0
SESSION_S = 3600  # a command for a node that is away waits so long at the broker
TICK_S = 0.5  # resends, and whether backfill may begin, are looked at so often
COALESCE_S = 0.05  # confirmations that arrive together are one commit
MAX_WAITING = 64  # commands, and replies while the broker is away

Reply = Callable[[dict[str, object]], Awaitable[None]]


class _Moved(aiomqtt.MqttError):
    """The broker is to be reached otherwise; the one of before hears that nobody is online there."""


class Uplink:
    """status(online) and birth() give the messages as wire.messages describes them.

    on_config(payload, retained) takes what comes by down/config.
    """

    def __init__(
        self,
        *,
        node: Node,
        disk: SpoolThread,
        status: Callable[[bool], Awaitable[dict[str, object]]],
        birth: Callable[[], dict[str, object]],
        on_command: Callable[[bytes, Reply], Coroutine[Any, Any, None]],
        on_config: Callable[[bytes, bool], None],
    ) -> None:
        self._node = node
        self._disk = disk
        self._status = status
        self._birth = birth
        self._on_command = on_command
        self._on_config = on_config
        self._window = Window()
        self._wake = asyncio.Event()
        self._birth_due = False
        self._status_due = asyncio.Event()
        self._moved = asyncio.Event()
        self._confirmations: list[tuple[str, list[list[int]]]] = []
        self._confirmed = asyncio.Event()
        self._commands: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING)
        self._replies: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING)
        self.connected = False

    def wake(self) -> None:
        """There is a new pack in the spool."""
        self._wake.set()

    def announce(self) -> None:
        """The birth has changed: it goes out before any pack that is not under way yet."""
        self._birth_due = True
        self._wake.set()

    def tell_status(self) -> None:
        """The status has changed so that somebody waits for it."""
        self._status_due.set()

    def move(self, node: Node) -> None:
        """From now on the broker is reached like this; the area and the node's name stay."""
        if node != self._node:
            self._node = node
            self._moved.set()

    async def run(self) -> None:
        wait, said = Backoff(first=RETRY_S[0], most=RETRY_S[1]), False
        while True:
            try:
                await apart(self._session())
            except* (aiomqtt.MqttError, OSError, TimeoutError) as group:
                if self.connected:
                    wait.reset()
                if self.connected or not said:
                    log.warning(
                        "broker: connection lost or refused, trying on", error=explained(group), **self._address()
                    )
                said = True
            self.connected = False
            await asyncio.sleep(wait.next())

    async def _session(self) -> None:
        self._moved.clear()
        will = aiomqtt.Will(self._topic("status"), await self._encoded_status(online=False), qos=1, retain=True)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_S
        async with Client(
            **self._node.connect,
            identifier=self._node.name,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=properties,
            will=will,
            keepalive=KEEPALIVE_S,
            timeout=ACK_S,
            max_inflight_messages=256,
            max_queued_incoming_messages=1000,
        ) as client:
            epoch = self._disk.spool.epoch
            now = time.monotonic()
            await self._disk.run(lambda spool: self._window.reset(now))
            await client.subscribe([(self._down("stored"), 0), (self._down("command"), 1), (self._down("config"), 1)])
            await self._tell_birth(client)
            await self._publish(client, "status", await self._encoded_status(online=True))
            self.connected = True
            log.info("broker: connected", **self._address())
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._receive(client), name="receive")
                    tasks.create_task(self._send(client, tasks, epoch), name="send")
                    tasks.create_task(self._confirm(), name="confirm")
                    tasks.create_task(self._reply(client), name="reply")
                    tasks.create_task(self._tell_status(client), name="status")
                    tasks.create_task(self._leave(), name="leave")
            except* _Moved:
                await self._publish(client, "status", await self._encoded_status(online=False))
                raise

    async def _send(self, client: aiomqtt.Client, tasks: asyncio.TaskGroup, epoch: str) -> None:
        while True:
            if self._birth_due:
                await self._tell_birth(client)
            now_ms, now = time.time_ns() // 1_000_000, time.monotonic()
            sends = await self._disk.run(functools.partial(self._window.take, now_ms=now_ms, now=now))
            if self._disk.spool.epoch != epoch:
                raise aiomqtt.MqttError("the spool began a new epoch: telling the birth again")
            for send in sends:
                tasks.create_task(self._send_pack(client, send, epoch))
            try:
                async with asyncio.timeout(TICK_S):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    async def _send_pack(self, client: aiomqtt.Client, send: Send, epoch: str) -> None:
        await self._publish(client, send.channel, send.body)
        if self._node.confirm_by_broker:
            self._take_confirmation(epoch, [[send.number, send.number]])

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            body = message.payload if isinstance(message.payload, bytes) else b""
            if str(message.topic) == self._down("stored"):
                try:
                    self._take_confirmation(*stored.decode(body))
                except WireError as error:
                    log.warning("confirmation refused", error=str(error), topic=str(message.topic))
                continue
            if str(message.topic) == self._down("config"):
                self._on_config(body, message.retain)
                continue
            try:
                self._commands.put_nowait(body)
            except asyncio.QueueFull:
                log.error("command refused: too many are waiting", waiting=MAX_WAITING)

    def _take_confirmation(self, epoch: str, ranges: list[list[int]]) -> None:
        self._confirmations.append((epoch, ranges))
        self._confirmed.set()

    async def _confirm(self) -> None:
        while True:
            await self._confirmed.wait()
            await asyncio.sleep(COALESCE_S)
            self._confirmed.clear()
            taken, self._confirmations = self._confirmations, []
            if await self._disk.run(functools.partial(_take_in, self._window, taken)):
                self._wake.set()

    async def run_commands(self) -> None:
        """Beside run(): a connection that breaks does not break off a command. A slow device keeps no other waiting."""
        room = asyncio.Semaphore(COMMANDS_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await room.acquire()
                body = await self._commands.get()
                tasks.create_task(self._on_command(body, self.reply)).add_done_callback(lambda _: room.release())

    async def reply(self, message: dict[str, object]) -> None:
        """What became of a command; it waits here while the broker is away."""
        await self._replies.put(messages.encode(message, messages.REPLY))

    async def _reply(self, client: aiomqtt.Client) -> None:
        while True:
            body = await self._replies.get()
            try:
                await self._publish(client, "reply", body)
            except BaseException:
                with contextlib.suppress(asyncio.QueueFull):
                    self._replies.put_nowait(body)
                raise

    async def _tell_status(self, client: aiomqtt.Client) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STATUS_S):
                    await self._status_due.wait()
            self._status_due.clear()
            await self._publish(client, "status", await self._encoded_status(online=True))

    async def _tell_birth(self, client: aiomqtt.Client) -> None:
        self._birth_due = False
        await self._publish(client, "birth", messages.encode(self._birth(), messages.BIRTH))

    async def _leave(self) -> None:
        await self._moved.wait()
        raise _Moved("the site file says another way to the broker")

    async def say_goodbye(self) -> None:
        """After run() was cancelled: the last counts, marked offline. A broker that is away is no error."""
        try:
            async with asyncio.timeout(ACK_S / 2):
                async with Client(
                    **self._node.connect,
                    identifier=f"{self._node.name}-goodbye",  # the node's own session keeps commands for its return
                    protocol=aiomqtt.ProtocolVersion.V5,
                ) as client:
                    await self._publish(client, "status", await self._encoded_status(online=False))
        except (aiomqtt.MqttError, OSError, TimeoutError):
            log.warning("last status not told: the broker is away", **self._address())

    async def _publish(self, client: aiomqtt.Client, channel: str, body: bytes) -> None:
        qos, retain = topics.UP[channel]
        # Python 3.11's wait_for, which aiomqtt would use, can lose a cancellation, and a lost one hangs the session.
        async with asyncio.timeout(ACK_S):
            await client.publish(self._topic(channel), body, qos=qos, retain=retain, timeout=math.inf)

    async def _encoded_status(self, *, online: bool) -> bytes:
        return messages.encode(await self._status(online), messages.STATUS)

    def _topic(self, channel: str) -> str:
        return topics.up(self._node.area, self._node.name, channel)

    def _down(self, channel: str) -> str:
        return topics.down(self._node.area, self._node.name, channel)

    def _address(self) -> dict[str, object]:
        return {
            "broker": self._node.connect.get("hostname"),
            "port": self._node.connect.get("port"),
            "node": self._node.name,
        }


def _take_in(window: Window, confirmations: list[tuple[str, list[list[int]]]], spool: Spool) -> bool:
    if spool.confirm_all(confirmations) is None:
        return False
    for epoch, ranges in confirmations:
        if epoch == spool.epoch:  # also of packs that are not on the disk any more: they were dropped meanwhile
            window.confirmed(ranges, time.monotonic())
    return True
