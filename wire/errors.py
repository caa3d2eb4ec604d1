"""What the wire refuses.

WireError            breaks the contract; `reason` is one word, `detail` one sentence
├── TopicError       a topic, or a name in it
├── PackError        a pack of readings, as a whole
└── MessageError     a status, birth, command, reply or stored message
"""


class WireError(ValueError):
    """reason: one word, the same in logs, counters and the dead-letter store. detail: a sentence for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason + ": " + detail)
        self.reason = reason
        self.detail = detail


class TopicError(WireError):
    pass


class PackError(WireError):
    pass


class MessageError(WireError):
    pass


def shown(value: object) -> str:
    """A refused value for a detail: at most 80 characters, and never the inside of what may be nested deep."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return repr(value[:80] if isinstance(value, str) else value)[:80]
