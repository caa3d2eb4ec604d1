"""A recorded exchange to the registers or items it shows, and those to the values of a profile's points."""

from collections.abc import Callable, Mapping, Sequence

from device_profiles import items, registers, wired
from device_profiles.blocks import address
from device_profiles.codecs import items_of
from device_profiles.items import Raw, Value
from device_profiles.registers import NoValue
from device_profiles.schema import BIT_TABLES, WORDS, Golden, Location, Point, Profile, Table
from device_profiles.wording import Fault, choices, suggestion, written
from protocols.errors import BadAnswer, DeviceError
from protocols.modbus import crc16

# Function codes of reads (Modbus Application Protocol 1.1b3, 6.1 to 6.4).
TABLES: dict[int, Table] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
MAX_NAMED = 6  # items that a message lists
MBAP = 7  # bytes of Modbus TCP's header: transaction, protocol 0, length, unit
Image = dict[tuple[Table, int], int]


Items = dict[str, Raw | DeviceError]


class BadFrame(ValueError):
    """The bytes are no read request with its answer; str() says why."""


def image(request: bytes, response: bytes, framing: str) -> Image:
    """One read and its answer -> {(table, address): word or bit}. Raises BadFrame."""
    ask, answer = _unit_and_pdu(request, framing, "request"), _unit_and_pdu(response, framing, "response")
    if len(ask) != 6 or ask[1] not in TABLES:
        raise BadFrame("the request is not a read (functions 1 to 4)")
    if answer[:2] != ask[:2]:
        raise BadFrame("the response's unit and function are not the request's")
    table, first, count = TABLES[ask[1]], int.from_bytes(ask[2:4], "big"), int.from_bytes(ask[4:6], "big")
    data = answer[3:]
    wanted = (count + 7) // 8 if table in BIT_TABLES else 2 * count
    if len(answer) < 3 or answer[2] != wanted or len(data) != wanted:
        raise BadFrame(f"the response must carry {wanted} bytes of data for {count} {table} addresses")
    if table in BIT_TABLES:
        return {(table, first + index): data[index // 8] >> index % 8 & 1 for index in range(count)}
    return {(table, first + index): int.from_bytes(data[2 * index : 2 * index + 2], "big") for index in range(count)}


def covers(at: Location, words: Image) -> bool:
    """True where an image holds the whole of a value."""
    return all((at.table, address(at) + index) in words for index in range(WORDS[at.type]))


def decoded(profile: Profile, point: str, words: Image) -> float | bool | None:
    """The value of a point in an image; None where its words hold no valid value."""
    at = profile.points[point].at
    assert at is not None
    try:
        held = [words[at.table, address(at) + index] for index in range(WORDS[at.type])]
        return registers.value(profile.points[point], held)
    except NoValue:
        return None


def faults(profile: Profile, golden: Golden) -> list[Fault]:
    """Replays a golden exchange. (key path in the golden file, text) for each thing that is not as it says."""
    framings = ("rtu", "tcp") if profile.protocol == "modbus" else ("hex", "text")
    wrong = _framing(profile, golden, framings)
    if wrong:
        return [(("framing",), wrong)]
    words: Image = {}
    told: Items = {}
    found: list[Fault] = []
    for index, (request, response) in enumerate(golden.exchanges):
        try:
            if profile.protocol == "modbus":
                words |= image(_bytes(request), _bytes(response), golden.framing)
            else:
                told |= items_of(profile.protocol)(_sent(request, golden), _sent(response, golden))
        except (BadFrame, BadAnswer) as error:
            found.append((("exchanges", index), f"{error}."))
        except ModuleNotFoundError as error:
            text = f"{profile.protocol} is read by the library {error.name}, which is not installed."
            return [((), f"{text} Install multipole with its extra [gateway].")]
    return found or [*_coverage(profile, golden), *_values(profile, golden, words, told)]


def _framing(profile: Profile, golden: Golden, framings: Sequence[str]) -> str:
    """What is wrong with the key `framing`; nothing where it fits the protocol and the exchanges."""
    if golden.framing not in framings:
        told = f"'{golden.framing}' is not how {profile.protocol} is framed."
        if "framing" not in golden.model_fields_set:
            told = f"is missing. It says how the exchanges of {profile.protocol} are written."
        return f"{told} Write {choices(framings)}."
    are_hex = [_is_hex(side) for exchange in golden.exchanges for side in exchange if side]
    if golden.framing == "text" and are_hex and all(are_hex):
        return "text, but the exchanges are hexadecimal pairs. Write hex."
    if golden.framing == "hex" and not any(are_hex):
        return "hex, but the exchanges are no hexadecimal pairs. Where they are what is sent, write text."
    return ""


def _is_hex(text: str) -> bool:
    try:
        return bytes.fromhex(text) is not None
    except ValueError:
        return False


def _values(profile: Profile, golden: Golden, words: Image, told: Items) -> list[Fault]:
    found: list[Fault] = []
    stated = {name: value for name, value in golden.values.items() if name in profile.points}
    unshown = [name for name in stated if not _is_shown(profile.points[name], words, told)]
    if unshown:
        found.append((("values", unshown[0]), _unshown(profile.points[unshown[0]], unshown, told)))
    for name, value in stated.items():
        if name in unshown:
            continue
        point = profile.points[name]
        shown = decoded(profile, name, words) if point.at is not None else _item(point, told)
        if shown != value or isinstance(shown, bool) != isinstance(value, bool):
            text = f"{written(value)} is stated, but the exchange decodes to {_shown(point, words, told, shown)}."
            found.append((("values", name), text))
    return found


def _is_shown(point: Point, words: Image, told: Items) -> bool:
    return covers(point.at, words) if point.at is not None else _name(point) in told


def _name(point: Point) -> str:
    """Under what an exchange tells this point."""
    return point.item.name if point.item is not None else wired.key(point)


def _unshown(point: Point, names: list[str], told: Items) -> str:
    """One sentence for all points that no exchange shows: most often it is one exchange that is missing."""
    more = f" Nor is {_listed(names[1:])} shown." if len(names) > 1 else ""
    if point.at is not None:
        text = f"no exchange reads {point.at.table} {point.at.address}, where this point stands.{more}"
        return f"{text} Add the exchange, or list {'them' if more else 'the point'} under uncovered."
    return f"no exchange tells {_name(point) or 'the chip'}.{more} They tell {_listed(sorted(told))}."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    names = [name if len(name) <= 40 else f"{name[:40]}…" for name in names]
    return (", ".join(names[:MAX_NAMED]) or "nothing") + more


def _shown(point: Point, words: Image, told: Items, value: Value | None) -> str:
    """What an exchange decodes to, and why that is no value where it is none."""
    if value is not None:
        return written(value)
    if point.at is None and isinstance(error := told[_name(point)], DeviceError):
        return f"no value: {error}"
    free = point.model_copy(update={"range": None, "invalid": ()})
    if point.at is not None:
        held = [words[point.at.table, address(point.at) + index] for index in range(WORDS[point.at.type])]
        scaled: Value | None = _or_none(lambda: registers.value(free, held))
    else:
        scaled = _item(free, told)
    if scaled is None:
        return "no number"
    if point.range is None or isinstance(scaled, str) or point.range[0] <= scaled <= point.range[1]:
        return f"{written(scaled)}, which `invalid` says is no value"
    low, high = point.range
    return f"{written(scaled)}, outside the range [{low:g}, {high:g}]. Check scale, type and range"


def _item(point: Point, told: Items) -> Value | None:
    raw = told[_name(point)]
    if isinstance(raw, DeviceError):
        return None
    return _or_none(lambda: items.value(point, raw) if point.item is not None else wired.value(point, raw))


def _or_none(read: Callable[[], Value]) -> Value | None:
    try:
        return read()
    except NoValue:
        return None


def _sent(text: str, golden: Golden) -> bytes:
    return _bytes(text) if golden.framing == "hex" else text.encode()


def _coverage(profile: Profile, golden: Golden) -> list[Fault]:
    """Every point is stated or listed, once; a misspelt name takes the point that was meant off the list."""
    found: list[Fault] = []
    left = [name for name in profile.points if name not in golden.values and name not in golden.uncovered]
    for key, names in (("values", golden.values), ("uncovered", golden.uncovered)):
        for index, name in enumerate(names):
            if name not in profile.points:
                place = name if isinstance(names, Mapping) else index
                hint = suggestion(name, left)
                left = [other for other in left if f"'{other}'" not in hint]
                hint = hint or f" There are {', '.join(profile.points)}."
                found.append(((key, place), f"'{name}' is not a point of {profile.profile}.{hint}"))
    both = [name for name in golden.uncovered if name in golden.values]
    found.extend((("values", name), "stands under uncovered too: keep one of them.") for name in both)
    if left:
        found.append((("values",), f"{', '.join(left)}: give the value, or list it under uncovered."))
    return found


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise BadFrame("the bytes are not hexadecimal pairs, as in 01 04 00 01") from None


def _unit_and_pdu(frame: bytes, framing: str, what: str) -> bytes:
    if framing == "tcp":
        if len(frame) < MBAP + 1 or frame[2:4] != b"\0\0" or int.from_bytes(frame[4:6], "big") != len(frame) - 6:
            raise BadFrame(f"the {what}'s MBAP header does not fit its bytes")
        return frame[MBAP - 1 :]
    if len(frame) < 4:
        raise BadFrame(f"the {what} is too short")
    right = crc16(frame[:-2]).to_bytes(2, "little")
    if frame[-2:] != right:
        raise BadFrame(f"the {what}'s CRC is {frame[-2:].hex(' ')}, but should be {right.hex(' ')}")
    return frame[:-2]
