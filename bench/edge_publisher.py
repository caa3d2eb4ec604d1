"""What edge_publishes.py runs on a controller's interpreter: numbers go OUT until the other side has stored them all.

One line of JSON comes in on standard input; samples of the heap and a summary go out, a line of JSON each.
"""

# MicroPython has no typing module to name what comes in:
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls

import asyncio
import gc
import json
import sys

from edge import mqtt

WINDOW = 500  # numbers under way without confirmation
QUIET_S = 1  # without a confirmation: what is under way is sent again
SAMPLE = 200


class Board:
    def __init__(self, folder) -> None:
        self.folder = folder

    def utc_ms(self):
        return None


class Publisher:
    def __init__(self, args) -> None:
        self.stored = 0
        self._total = args["publishes"]
        self._sent = self._sessions = self._wraps = self._samples = 0
        self._filling = bytes(100)
        self._link = mqtt.Client(args["config"], Board(args["folder"]), self._received)
        self._link._number = args["first"] - 1

    async def run(self) -> None:
        while self.stored < self._total:
            try:
                await self._link.connect(b"{}")
                self._sessions += 1
                await self._publish()
            except OSError:
                await asyncio.sleep(0.05)
        await self._link.close()
        print(json.dumps({"sent": self._sent, "sessions": self._sessions, "wraps": self._wraps}))

    async def _publish(self) -> None:
        number = self.stored
        while self.stored < self._total:
            if number == min(self._total, self.stored + WINDOW):
                number = await self._confirmed(number)
                continue
            number += 1
            before = self._link._number
            await self._link.publish("telemetry", 260, (b"%60d" % number, self._filling, self._filling))
            self._sent += 1
            self._wraps += self._link._number < before
            if self._sent % SAMPLE == 0:
                self._sample()

    async def _confirmed(self, number: int):
        """What to go on from: here when something more was stored, else what was stored last."""
        before = self.stored
        for _ in range(QUIET_S * 50):
            await asyncio.sleep(0.02)
            if self.stored > before:
                return number
            if self._link.why is not None:
                break
        return self.stored

    def _received(self, channel, payload) -> None:
        if channel == "stored":
            self.stored = int(bytes(payload))

    def _sample(self) -> None:
        gc.collect()
        heap = gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
        print(json.dumps({"heap": heap}))


def main() -> None:
    if hasattr(gc, "threshold"):
        gc.threshold(4096)  # as the agent does
    asyncio.run(Publisher(json.loads(sys.stdin.readline())).run())
