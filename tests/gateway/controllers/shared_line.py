"""A two-wire line with several ends, each a pty: what one sends, all others hear, after what the noise did to it."""

import asyncio

from simulators.pty import Pty


class SharedLine:
    """ends: name -> path of its port. noise(data): the pieces that arrive. baud: how fast, 0 for at once."""

    def __init__(self, folder, names, *, noise=None, baud=0):
        self.noise = noise
        self.carried = 0  # bytes
        self._character = 10 / baud if baud else 0.0
        self._free_at = 0.0
        self._ends = {name: Pty(path=folder / name, heard=self._hearing(name)) for name in names}

    def path(self, name):
        return str(self._ends[name].path)

    def pull_out(self, name):
        self._ends[name].vanish()

    def plug_in(self, name):
        self._ends[name].restore()

    async def __aenter__(self):
        for end in self._ends.values():
            end.restore()
        return self

    async def __aexit__(self, *error):
        for end in self._ends.values():
            end.vanish()

    def _hearing(self, name):
        return lambda data: self._send(name, data)

    def _send(self, sender, data):
        self.carried += len(data)
        loop = asyncio.get_running_loop()
        for piece in self.noise(data) if self.noise else [data]:
            self._free_at = max(loop.time(), self._free_at) + len(piece) * self._character
            if self._character:
                loop.call_at(self._free_at, self._deliver, sender, piece)
            else:
                self._deliver(sender, piece)

    def _deliver(self, sender, piece):
        for name, end in self._ends.items():
            if name != sender:
                end.write(piece)


class Noise:
    """Each piece is hurt with this probability: bytes lost, bits flipped, a part twice, cut, behind the next one."""

    def __init__(self, dice, share):
        self.share = share
        self.hurt = 0
        self._dice = dice
        self._late = b""

    def __call__(self, data):
        late, self._late = self._late, b""
        if self._dice.random() >= self.share:
            return [data, late]
        self.hurt += 1
        return [
            self._dice.choice((self._lost, self._flipped, self._twice, self._cut, self._kept, self._added))(data),
            late,
        ]

    def _lost(self, data):
        at = self._dice.randrange(len(data))
        return data[:at] + data[at + self._dice.randint(1, 8) :]

    def _flipped(self, data):
        hurt = bytearray(data)
        for _ in range(self._dice.randint(1, 5)):
            hurt[self._dice.randrange(len(hurt))] ^= 1 << self._dice.randrange(8)
        return bytes(hurt)

    def _twice(self, data):
        at = self._dice.randrange(len(data))
        return data + data[at:]

    def _cut(self, data):
        return data[: self._dice.randrange(len(data))]

    def _kept(self, data):
        self._late = data
        return b""

    def _added(self, data):
        return data + self._dice.randbytes(self._dice.randint(1, 40))
