"""A controller that sends packs for ever, on CPython and on MicroPython: serial_uplink_node.py ROOT PORT SIZE"""

import asyncio
import sys

sys.path.insert(0, sys.argv[1])

from edge.boards.simulated import Board
from edge.serial_link import Client


async def main(port: str, size: int) -> None:
    board = Board({"uarts": {"up": {"port": port}}}, "/tmp")
    link = Client({"uplink": {"uart": "up", "address": 1}}, board, lambda channel, payload: None)
    await link.connect(b"{}")
    body = b'{"n":"pm2_5","v":35.2}' * (size // 22 + 1)
    while True:
        await link.publish("telemetry", size, (memoryview(body)[:size],))


asyncio.run(main(sys.argv[2], int(sys.argv[3])))
