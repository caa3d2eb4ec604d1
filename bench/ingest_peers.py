"""The same job with the two MQTT clients that most would take, as one writes it in an afternoon.

python -m bench.ingest_peers paho-mqtt|aiomqtt ORDER.json

Packs to line protocol, written when nothing has come for 4 ms, or at 5,000 readings. paho-mqtt acknowledges after the
write; aiomqtt leaves no choice and acknowledges before. No births, no ranges, no dead letters, no ledger.
"""

import asyncio
import json
import queue
import sys
from pathlib import Path
from typing import Any

import aiomqtt
import paho.mqtt.client as paho
import urllib3
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

QUIET_S = 0.004
Order = dict[str, Any]


def line(topic: str, body: bytes | bytearray) -> tuple[str, int]:
    """(a pack's readings in the line protocol, how many)."""
    area = topic.split("/", 2)[1]
    records = json.loads(body)
    pole, device, _ = records[0]["bn"].split("/")
    fields = ",".join([f"{record['n']}={record['v']}" for record in records])
    return f"air,area={area},device={device},pole={pole} {fields} {round(records[0]['bt'] * 1000)}000000", len(records)


class Writer:
    def __init__(self, order: Order) -> None:
        self._http = urllib3.PoolManager()
        self._url = f"{order['http']}/write?db={order['database']}&precision=ns"

    def post(self, lines: list[str]) -> None:
        answer = self._http.request("POST", self._url, body="\n".join(lines).encode())
        if answer.status != 204:
            raise RuntimeError(answer.data.decode())


def with_paho(order: Order) -> None:
    waiting: queue.SimpleQueue[paho.MQTTMessage] = queue.SimpleQueue()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="paho-mqtt", protocol=paho.MQTTv5, manual_ack=True)
    client.username_pw_set(order["user"], order["password"])
    client.on_message = lambda client, data, message: waiting.put(message)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = order["window"]
    client.connect("127.0.0.1", order["port"], clean_start=True, properties=properties)
    client.loop_start()
    client.subscribe(order["filter"], qos=1)
    writer = Writer(order)
    while True:
        taken, lines, readings = [waiting.get()], [], 0
        while taken:
            lines_of, count = line(taken[-1].topic, taken[-1].payload)
            lines.append(lines_of)
            readings += count
            if readings >= order["batch"]:
                break
            try:
                taken.append(waiting.get(timeout=QUIET_S))
            except queue.Empty:
                break
        writer.post(lines)
        for message in taken:
            client.ack(message.mid, message.qos)


async def with_aiomqtt(order: Order) -> None:
    writer = Writer(order)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = order["window"]
    async with aiomqtt.Client(
        "127.0.0.1", order["port"], identifier="aiomqtt", username=order["user"], password=order["password"],
        protocol=aiomqtt.ProtocolVersion.V5, properties=properties,
    ) as client:  # fmt: skip
        await client.subscribe(order["filter"], qos=1)
        waiting: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

        async def write() -> None:
            while True:
                lines, readings = [], 0
                each, count = await waiting.get()
                while True:
                    lines.append(each)
                    readings += count
                    if readings >= order["batch"]:
                        break
                    if waiting.empty():
                        await asyncio.sleep(QUIET_S)
                        if waiting.empty():
                            break
                    each, count = waiting.get_nowait()
                await asyncio.to_thread(writer.post, lines)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(write(), name="write")
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                waiting.put_nowait(line(str(message.topic), message.payload))


if __name__ == "__main__":
    told: Order = json.loads(Path(sys.argv[2]).read_text())
    if sys.argv[1] == "paho-mqtt":
        with_paho(told)
    else:
        asyncio.run(with_aiomqtt(told))
