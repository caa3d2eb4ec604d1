"""Readings IN, one by one, their values as SenML text; packs for the journal OUT.

Telemetry waits for company, _HOLD_MS at most and SIZE bytes; an event goes at once. What the journal does not take (a
full disk) is counted in `unspooled`, and is all that is lost by it.
"""

SIZE = 700  # bytes of a pack's body: what a controller has room for
_HOLD_MS = 1000


class Collector:
    """sensed: a value of a device has been read since the start."""

    def __init__(self, board, clock, journal) -> None:
        self.unspooled = 0
        self.sensed = False
        self._board = board
        self._clock = clock
        self._journal = journal
        self._body = bytearray(SIZE)
        self._end = self._readings = 0
        self._device = ""
        self._base = self._boot = self._since = 0

    def add(self, device: str, point: str, field: str, event: bool = False, read: bool = True) -> None:
        """device: pole/device. field: '"v":35.2', '"vb":true', '"vs":"x"' or '"q":"timeout"'.

        read: by a device; not what the controller knows of itself, or set.
        """
        if read and field[1] == "v":
            self.sensed = True
        time_ms, boot = self._clock.now(), 0
        if time_ms is None:
            time_ms, boot = self._clock.ms(), self._clock.boot
        if event or boot != self._boot:
            self.flush()
        if not self._put(device, point, field, time_ms, boot):
            self.flush()
            self._put(device, point, field, time_ms, boot)
        if event:
            self.flush(True)

    def flush(self, event: bool = False) -> None:
        """What waits is on the disk when this returns, or counted as unspooled."""
        if self._readings:
            self._body[self._end] = 0x5D  # ]
            try:
                self._journal.append(
                    memoryview(self._body)[: self._end + 1], self._readings, self._base, self._boot, event
                )
            except OSError:
                self.unspooled += self._readings
            self._end = self._readings = 0
            self._device = ""

    def due(self) -> None:
        """Called every now and then: nothing waits longer than _HOLD_MS."""
        if self._readings and self._board.ms() - self._since >= _HOLD_MS:
            self.flush()

    def _put(self, device: str, point: str, field: str, time_ms: int, boot: int) -> bool:
        first = not self._readings
        if first:
            self._base, self._boot, self._since = time_ms, boot, self._board.ms()
        off = time_ms - self._base
        ago = abs(off)
        record = "%s%s%s%s%s}" % (
            "" if first else ",{",
            "" if device == self._device else '"bn":"%s/",' % device,
            '"n":"%s",' % point,
            '"t":%s%d.%03d,' % ("-" if off < 0 else "", ago // 1000, ago % 1000) if off else "",
            field,
        )
        data = record.encode()
        end = self._end + len(data)
        if end >= SIZE:
            if first:  # no record is that long; one that is would wait for ever
                self.unspooled += 1
                return True
            return False
        self._body[self._end : end] = data
        self._end = end
        self._readings += 1
        self._device = device
        return True
