"""A controller on a serial line that has packs to send, until it is killed: run by the tests of gateway/controllers.

Its journal is a file with the numbers that were confirmed; a command's id is written down before its reply. `count` is
how many packs it makes in its life. It ends when there is a file `end`.
"""

import asyncio
import json
import os

from edge.boards.simulated import Board
from edge.serial_link import Client

EPOCH = "9f3c21aa"
RESEND_MS = 3000


def pack(node, number):
    """The same bytes for the same number, 100 to 1500 of them."""
    size = 100 + number * 619 % 1400
    head = '[{"ep":"%s","sq":%d,"bt":1763683200.250,"bn":"P1/air-1/","n":"note","vs":"%s ' % (EPOCH, number, node)
    fill = "abcdefghijklmnopqrstuvwxyz}{~ " * (size // 30 + 1)
    return (head + fill[: size - len(head) - 4] + '"}]').encode()


class Node:
    def __init__(self, args):
        self.folder, self.name, self.count = args["folder"], args["node"], args["count"]
        self.stored = bytearray(self.count + 1)
        for line in _lines(self.folder + "/stored"):
            self.stored[int(line)] = 1
        self.sent = bytearray(self.count + 1)  # since resend_ms
        self.resend_ms = 0
        self.commands = list(_lines(self.folder + "/commands"))
        self.replies = []
        self.tried = self.done = 0
        self.board = Board({"uarts": {"up": {"port": args["port"]}}, "clock": "unset"}, self.folder)
        config = {"uplink": {"uart": "up", "address": args["address"]}}
        self.link = Client(config, self.board, self.received)

    def received(self, channel, payload):
        if channel == "time":
            self.board.set_utc_ms(int.from_bytes(payload, "big"))
            return
        message = json.loads(bytes(payload))
        if channel == "stored":
            for first, last in message["sq"]:
                for number in range(first, last + 1):
                    if not self.stored[number]:
                        self.stored[number] = 1
                        _add(self.folder + "/stored", str(number))
        elif channel == "command":
            if message["id"] not in self.commands:
                self.commands.append(message["id"])
                _add(self.folder + "/commands", message["id"])
            self.replies.append(message["id"])

    async def publish(self, channel, body):
        self.tried += 1
        await self.link.publish(channel, len(body), (body[:64], memoryview(body)[64:]))
        self.done += 1

    async def session(self):
        status = '{"online":%s,"time":%d}'
        await self.link.connect((status % ("false", 0)).encode())
        await self.publish("status", (status % ("true", self.board.utc_ms() or 0)).encode())
        self.resend_ms = 0
        while True:
            while self.replies:
                await self.publish("reply", ('{"id":"%s"}' % self.replies[0]).encode())
                del self.replies[0]
            number = self.next()
            if number:
                self.sent[number] = 1
                await self.publish("telemetry", pack(self.name, number))
            elif self.link.why:
                return
            else:
                await asyncio.sleep(0.02)

    def next(self):
        if self.board.ms() >= self.resend_ms:
            self.resend_ms = self.board.ms() + RESEND_MS
            self.sent = bytearray(self.count + 1)
        for number in range(1, self.count + 1):
            if not self.stored[number] and not self.sent[number]:
                return number
        return 0


def _lines(path):
    if _exists(path):
        with open(path) as file:
            for line in file:
                if line.endswith("\n"):
                    yield line.strip()


def _add(path, line):
    with open(path, "a") as file:
        file.write(line + "\n")


async def test_node(args):
    node = Node(args)
    session = asyncio.create_task(_sessions(node))
    while not _exists(args["folder"] + "/end"):
        await asyncio.sleep(0.1)
    session.cancel()
    _add(args["folder"] + "/counts", "%d %d %d" % (node.tried, node.done, node.link.passed))


async def _sessions(node):
    while True:
        try:
            await node.session()
        except OSError:
            pass
        await asyncio.sleep(0.2)


def _exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False
