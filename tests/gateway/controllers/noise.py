"""What a bad line does to what it carries."""


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
