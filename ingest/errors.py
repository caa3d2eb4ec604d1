"""What ingest can meet.

IngestError          str() is a sentence for people
├── Unavailable      the store or the dead-letter store does not take anything now; try again later
├── Refused          the store will never take these rows; `reason` is one word
└── BrokerGone       the connection to the broker ended, or could not be made
"""


class IngestError(Exception):
    pass


class Unavailable(IngestError):
    """retry_after_s: when the server asks for so much time (Retry-After of HTTP, RFC 9110, 10.2.3); else None."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Refused(IngestError):
    """rows: positions of those that the store blames, where it says so; every: it refused each single one of them."""

    def __init__(self, reason: str, detail: str, *, rows: frozenset[int] = frozenset(), every: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.rows = rows
        self.every = every


class BrokerGone(IngestError):
    pass
