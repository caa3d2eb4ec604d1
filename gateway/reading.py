"""A reading, as it goes from a poller to the spool."""

Value = float | bool | str | None
Reading = tuple[str, str, int, Value, str | None]  # "pole/device", point, ms since 1970, value, quality
