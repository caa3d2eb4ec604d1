"""Times as devices write them: ISO 8601 text IN, milliseconds since 1970 UTC OUT."""

import datetime

MAX_TEXT = 40  # characters; ChirpStack writes 35


def ms_of(text: object) -> int | None:
    """None where it is no time since 1970: some chargers write 0000-00-00T00:00:00.000Z. Without a zone it is UTC."""
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        return None
    try:
        told = datetime.datetime.fromisoformat(text)
        if told.tzinfo is None:
            told = told.replace(tzinfo=datetime.UTC)
        time_ms = (told - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None
    return time_ms if time_ms >= 0 else None


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)
