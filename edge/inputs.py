"""Contacts IN, sampled 50 times a second and noticed by interrupt; their changes go OUT at once.

config["inputs"]: [[device, point, pin, event], …], the pin a name in config["pins"]; true is 1 after its `invert`.
config["silence"]: seconds after which an unchanged contact is told again, 300 where it is left out.

A change counts from two equal samples, or from one and an interrupt. Where the loop was busy for so long that samples
are missing, an interrupt alone counts: a press that came and went is told as on, and then as off. A contact that
chatters tells BURST changes, then one in EACH_MS; where it came to rest is always told.
"""

import asyncio

SAMPLE_MS = 20
LATE_MS = 30  # between two samples: a press of 40 ms may have had less than two of them
EACH_MS = 10_000
BURST = 20


class Inputs:
    def __init__(self, config: dict, board, collector) -> None:
        self._board = board
        self._collector = collector
        self._silence = config.get("silence", 300) * 1000
        self._edges = bytearray(len(config["inputs"]))
        self._last = board.ms()
        # [device, point, event, read, value told, samples that differ, told at, changes paid until]
        self._inputs = []
        for number, (device, point, pin, event) in enumerate(config["inputs"]):
            self._inputs.append([device, point, event, board.input(pin), None, 0, 0, 0])
            board.on_change(pin, self._noticed(number))

    async def run(self, beat) -> None:
        """beat is called with every sample."""
        while True:
            self.sample()
            beat()
            await asyncio.sleep(SAMPLE_MS / 1000)

    def sample(self) -> None:
        now = self._board.ms()
        late = now - self._last > LATE_MS
        self._last = now
        edges = self._edges
        for number, contact in enumerate(self._inputs):
            value = contact[3]()
            told = contact[4]
            edge = edges[number]
            edges[number] = 0
            if told is None or (now - contact[6] >= self._silence and value == told):
                self._tell(contact, value, now, False)
            elif value != told or (edge and late):
                contact[5] += 2 if edge else 1
                if contact[5] >= 2 and contact[7] < now + BURST * EACH_MS:
                    contact[7] = max(contact[7], now) + EACH_MS
                    self._tell(contact, 1 - told, now, contact[2])
            else:
                contact[5] = 0

    def _tell(self, contact: list, value: int, now: int, event: bool) -> None:
        contact[4:7] = value, 0, now
        self._collector.add(contact[0], contact[1], '"vb":true' if value else '"vb":false', event)

    def _noticed(self, number: int):
        edges = self._edges

        def note(_) -> None:  # in an interrupt: nothing is allocated
            edges[number] = 1

        return note
