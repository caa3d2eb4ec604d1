"""A golden exchange as a page shows it."""

from collections.abc import Iterator

from device_profiles.schema import Golden
from device_profiles.wording import written

MAX_EXCHANGES = 4
MAX_CHARACTERS = 480  # of one side of an exchange
WIDTH = 96


def lines(golden: Golden) -> Iterator[str]:
    """Markdown: who recorded it, what went over the wire, and what it means."""
    yield f"{'Recorded' if golden.recorded else 'Computed, not recorded'}: {' '.join(golden.source.split())}\n"
    yield "```text"
    for sent, came in golden.exchanges[:MAX_EXCHANGES]:
        for direction, side in (("to the device", sent), ("from the device", came)):
            if side:
                yield direction
                yield from _wrapped(side, golden.framing)
    yield "```"
    if len(golden.exchanges) > MAX_EXCHANGES:
        yield f"\nThe first {MAX_EXCHANGES} of {len(golden.exchanges)} exchanges."
    values = ", ".join(f"`{name}` {_value(value)}" for name, value in golden.values.items())
    yield f"\nThey mean: {values}."
    if golden.uncovered:
        yield f"\nNot shown by any exchange: {', '.join(f'`{name}`' for name in golden.uncovered)}."


def _value(value: float | bool | str | None) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "no value" if value is None else written(value).replace("<", "&lt;").replace("|", "\\|")


def _wrapped(side: str, framing: str) -> Iterator[str]:
    shown = side[:MAX_CHARACTERS]
    for line in shown.splitlines() if framing == "text" else [" ".join(shown.split())]:
        visible = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line)
        for start in range(0, max(len(visible), 1), WIDTH):
            yield f"    {visible[start : start + WIDTH]}".rstrip()
    if len(side) > MAX_CHARACTERS:
        yield f"    … {len(side) - MAX_CHARACTERS} characters more"
