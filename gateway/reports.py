"""Report by exception: readings of one point IN, the reason to report each OUT, or None."""

FIRST, CHANGE, SILENCE = "first", "change", "silence"

_TEXT = (str, type(None))
_WHOLE = (bool, *_TEXT)  # no deadband applies
_ROUNDING = 1e-9  # 20.2 - 20.1 is a little less than 0.1, and still reaches a deadband of 0.1


class Report:
    """What was last told of one point. deadband: in the point's unit; silence: seconds."""

    __slots__ = ("_deadband", "_quality", "_silence", "_told_at", "_value")

    def __init__(self, *, deadband: float, silence: float) -> None:
        self._deadband = deadband * (1 - _ROUNDING)
        self._silence = silence
        self._value: float | bool | str | None = None
        self._quality: str | None = None
        self._told_at: float | None = None

    def reason(self, now: float, value: float | bool | str | None, quality: str | None) -> str | None:
        """Why this reading is to be told, and then remembered as told; None when it is not.

        now: seconds of a monotonic clock, because a wall clock that is set back would prolong the silence.
        """
        if self._told_at is None:
            why = FIRST
        elif quality != self._quality or (value != self._value and self._differs(value)):
            why = CHANGE
        elif now - self._told_at >= self._silence:
            why = SILENCE
        else:
            return None
        self._told_at, self._value, self._quality = now, value, quality
        return why

    def _differs(self, value: float | bool | str | None) -> bool:
        """Whether a value that is another one differs by enough."""
        if isinstance(value, _WHOLE) or isinstance(self._value, _TEXT):
            return True
        return abs(value - self._value) >= self._deadband
