"""Devices whose names nobody resolves: the gateway's own connection does not wait for the name server."""

import asyncio
import socket
import threading

import aiomqtt
import yaml

from gateway import service
from gateway.configuration import Configuration
from wire import topics

DEVICES = 30


def configuration_of(folder, port):
    devices = [
        {"pole": "P1", "device": f"i{n}", "profile": "sip-intercom", "bus": "b", "address": f"slow-{n}.example"}
        for n in range(DEVICES)
    ]
    gateway = {"broker": f"mqtt://127.0.0.1:{port}", "pole": "P1", "password_file": "gw.password"}
    (folder / "site.yaml").write_text(
        yaml.safe_dump(
            {
                "area": "wuhou", "gateways": {"gw-1": gateway}, "poles": {"P1": {"position": [30, 104]}},
                "buses": {"b": {"protocol": "sip"}}, "devices": devices,
            }
        )
    )  # fmt: skip
    return Configuration(path=folder / "site.yaml")


def test_a_silent_name_server_keeps_nobody_from_the_broker(broker, tmp_path, monkeypatch):
    (tmp_path / "gw.password").write_text(broker.passwords["gw-1"])
    configuration = configuration_of(tmp_path, broker.port)
    answers, asked = threading.Event(), set()
    looked_up = socket.getaddrinfo

    def silent(host, *more, **options):
        if str(host).startswith("slow-"):
            asked.add(host)
            answers.wait(30)
            raise socket.gaierror(-3, "no answer")
        return looked_up(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", silent)

    async def whole():
        stop = asyncio.Event()
        async with aiomqtt.Client(
            "127.0.0.1", broker.port, username="ingest", password=broker.passwords["ingest"]
        ) as client:
            await client.subscribe(topics.up("wuhou", "gw-1", "birth"))
            running = asyncio.create_task(service.run(configuration=configuration, stop=stop))
            try:
                async with asyncio.timeout(30):
                    while len(asked) < DEVICES:  # each name has a thread, and none was kept waiting for another's
                        await asyncio.sleep(0.05)
                async with asyncio.timeout(10):
                    await anext(aiter(client.messages))
            finally:
                answers.set()
                stop.set()
                await running

    asyncio.run(whole())
