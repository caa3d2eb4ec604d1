"""Contacts IN, sampled 50 times a second and noticed by interrupt; their changes go OUT at once.

config["inputs"]: [[device, point, pin, event], …], the pin a name in config["pins"]; true is 1 after its `invert`.
config["silence"]: seconds after which an unchanged contact is told again, 300 where it is left out.

A change counts from two equal samples, or from one and an interrupt. Where the loop was busy for so long that samples
are missing, an interrupt alone counts: a press that came and went is told as on, and then as off. A contact that
chatters tells 20 changes, then one in ten seconds; where it came to rest is always told.
"""

import asyncio


class Inputs:
    def __init__(self, config: dict, board, collector) -> None:
        self._board = board
        self._collector = collector
        self._silence = config.get("silence", 300) * 1000
        self._last = board.ms()
        # [device, point, event, read, value told, told at, noticed, samples that differ, changes are paid until]
        self._inputs = []
        for device, point, pin, event in config["inputs"]:
            contact = [device, point, event, board.input(pin), None, 0, 0, 0, 0]
            self._inputs.append(contact)
            board.on_change(pin, _noticed(contact))

    async def run(self, beat) -> None:
        """beat is called with every sample."""
        while True:
            self.sample()
            beat()
            await asyncio.sleep(0.02)

    def sample(self) -> None:
        now = self._board.ms()
        late = now - self._last > 30  # a press of 40 ms may have had less than two samples
        self._last = now
        for contact in self._inputs:
            value = contact[3]()
            _, _, event, _, told, told_at, edge, count, paid = contact
            contact[6] = 0
            if told is None or (value == told and now - told_at >= self._silence):
                event = False
            elif value == told and not (edge and late):
                contact[7] = 0
                continue
            elif count + edge < 1 or paid > now + 190_000:
                contact[7] = 1
                continue
            else:
                value = 1 - told
                contact[8] = max(paid, now) + 10_000
            contact[4:8] = value, now, 0, 0
            self._collector.add(contact[0], contact[1], '"vb":true' if value else '"vb":false', event)


def _noticed(contact: list):
    def note(_) -> None:  # in an interrupt: nothing is allocated
        contact[6] = 1

    return note
