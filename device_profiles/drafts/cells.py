"""What one cell of a maker's register table means: addresses, types, factors, units, as makers write them."""

import re
import unicodedata
from dataclasses import dataclass

from device_profiles import units
from device_profiles.drafts import words
from device_profiles.schema import WORDS, Table
from device_profiles.wording import suggestion

TABLES: dict[int, Table] = {
    1: "coil",
    2: "discrete",
    3: "holding",
    4: "input",
    5: "coil",
    6: "holding",
    15: "coil",
    16: "holding",
}
_TABLE_WORDS: tuple[tuple[str, Table], ...] = (
    ("discrete", "discrete"), ("离散", "discrete"), ("input register", "input"), ("输入寄存器", "input"),
    ("holding", "holding"), ("保持", "holding"), ("coil", "coil"), ("线圈", "coil"), ("input", "input"),
    ("输入", "input"),
)  # fmt: skip
_FAMILIES = {  # what a type is called -> family; the width stands beside it, or follows from the registers
    "float": ("float", "real", "single", "ieee754", "ieee-754", "浮点", "单精度"),
    "double": ("double", "双精度"),
    "uint": ("uint", "unsigned", "word", "dword", "ushort", "ulong", "u", "intu", "无符号", "字", "双字"),
    "int": ("int", "signed", "sint", "short", "long", "dint", "integer", "s", "i", "有符号", "整数", "整型"),
    "bool": ("bool", "boolean", "bit", "coil", "布尔", "位", "开关量"),
}  # fmt: skip
_NUMBER = r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?"
_UNIT_WORDS = {word: unit for unit, others in words.UNITS.items() for word in others.split(", ")}
_NONE = ("", "-", "--", "—", "/", "n/a", "na", "none", "无", "1", "null")


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """What a cell says: the number, how many registers it spans, and how it was written."""

    number: int
    span: int = 0  # 0: not told
    digits: int = 0  # of a decimal number: 5 or 6 may be 30001 or 400001
    table: Table | None = None  # where 4x0001 tells it


def address(text: str, *, hexadecimal: bool) -> Address:
    """`16`, `0x10`, `10H`, `40017`, `4x0017`, `0x10-0x11`. Raises ValueError."""
    text = unicodedata.normalize("NFKC", text).strip()
    first, last = [*re.split(r"\s*(?:-|~|–|—|\.\.|,|、|至|to)\s*", text, maxsplit=1), ""][:2]
    begin = _one_address(first, hexadecimal)
    if not last:
        return begin
    end = _one_address(last, hexadecimal)
    if not begin.number < end.number <= begin.number + 3:
        raise ValueError(f"'{text}' spans {end.number - begin.number + 1} addresses: one value takes 1 to 4 of them")
    return Address(number=begin.number, span=end.number - begin.number + 1, digits=begin.digits, table=begin.table)


def _one_address(text: str, hexadecimal: bool) -> Address:
    marked = re.fullmatch(r"(?:0x|&h|\$)([0-9a-f]{1,4})|([0-9a-f]{1,5})h", text, re.I)
    if marked:
        return Address(number=int(marked[1] or marked[2], 16))
    lettered = re.fullmatch(r"([0134])\s*[x:]\s*(\d{1,5})", text, re.I)
    if lettered:
        return Address(number=int(lettered[2]), table=_FIRST_DIGIT[lettered[1]], digits=len(lettered[2]))
    if hexadecimal and re.fullmatch(r"[0-9a-f]{1,4}", text, re.I):
        return Address(number=int(text, 16))
    if re.fullmatch(r"\d{1,6}", text):
        return Address(number=int(text), digits=len(text))
    raise ValueError(f"'{text}' is no address: write it as 16, 0x10, 10H, 30017 or 4x0017")


_FIRST_DIGIT: dict[str, Table] = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}


def numbered_table(text_number: int, digits: int) -> tuple[Table, int] | None:
    """40017 or 400017 -> (holding, 17); None where the number is not of that kind."""
    text = str(text_number).zfill(digits)
    if digits not in (5, 6) or text[0] not in "134" or int(text[1:]) == 0 or int(text[1:]) > 65536:
        return None
    return _FIRST_DIGIT[text[0]], int(text[1:])


def table(text: str) -> Table:
    """`3`, `0x04`, `03H`, `FC04`, `03/06`, `Input register`, `保持寄存器` -> the table. Raises ValueError."""
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    for word, known in _TABLE_WORDS:
        if word in plain:
            return known
    codes = [
        int(code, 16) if code != "15" and code != "16" else int(code)
        for code in re.findall(r"(?:0x|fc)?0*([0-9a-f]{1,2})h?", plain)
        if code
    ]
    if not codes or codes[0] not in TABLES:
        raise ValueError(f"'{text}' is no function code: write 1, 2, 3 or 4, or coil, discrete, holding or input")
    return TABLES[codes[0]]


def is_writable(text: str) -> bool:
    """Access as `R/W`, `RW`, `WO`, `读写`."""
    return "w" in text.lower() or "写" in text


def number_type(text: str, count: int) -> str:
    """A type as makers write it, and how many registers it takes (0: not told) -> ours. Raises ValueError."""
    plain = re.sub(r"[\s_\-()（）\[\]]+", "", unicodedata.normalize("NFKC", text).lower())
    plain = re.sub(r"(abcd|cdab|badc|dcba|lsw\w*|msw\w*|swap\w*|little\w*|big\w*|低\w*|高\w*|inverse\w*)", "", plain)
    if plain in _NONE:
        return {0: "uint16", 1: "uint16", 2: "uint32", 4: "uint64"}.get(count, "uint16")
    width = next((int(bits) for bits in re.findall(r"64|32|16", plain)), 0)
    rest = re.sub(r"ieee-?754|64|32|16|位|bit(?=.)|bits|[248]bytes?", "", plain)
    family = _family(rest or ("float" if "ieee" in plain else "uint"))
    if family is None or re.search(r"\d", rest):
        known = ("uint16", "int16", "uint32", "int32", "float32", "uint64", "int64", "float64", "bool")
        raise ValueError(f"'{text}' is no type.{suggestion(plain, known)} Known are {', '.join(known)}")
    if family == "bool":
        return "bool"
    width = width or _width(family, plain, count)
    chosen = f"{'float' if family in ('float', 'double') else family}{width}"
    if chosen not in WORDS:
        raise ValueError(f"'{text}': there is no {chosen} in Modbus profiles")
    if count and count != WORDS[chosen]:
        raise ValueError(f"'{text}' takes {WORDS[chosen]} registers, but the table says {count}")
    return chosen


def _family(plain: str) -> str | None:
    words = [(word, family) for family, known in _FAMILIES.items() for word in known]
    if exact := next((family for word, family in words if word == plain), None):
        return exact
    inside = [(word, family) for word, family in words if len(word) > 1 and word in plain]
    if any(family == "uint" for _, family in inside):  # unsigned holds signed
        return "uint"
    return max(inside, key=lambda pair: len(pair[0]))[1] if inside else None


def _width(family: str, plain: str, count: int) -> int:
    if count in (1, 2, 4):
        return 16 * count if family not in ("float", "double") else max(32, 16 * count)
    if family == "double":
        return 64
    return (
        32
        if family == "float" or "long" in plain or "dword" in plain or plain.startswith("dint") or "双字" in plain
        else 16
    )


def word_order(text: str) -> str | None:
    """How the words of a value follow each other, where a text tells it. Raises ValueError for swapped bytes."""
    plain = re.sub(r"[\s_-]+", "", text.lower())
    if "badc" in plain or "dcba" in plain:
        raise ValueError(f"'{text}': the bytes within a register are swapped, which no profile can say: ask for help")
    if re.search(r"cdab|lowfirst|lowword|lsw|little|swap|inverse|低字在前|低位在前|低前", plain):
        return "low_first"
    return "high_first" if re.search(r"abcd|highfirst|highword|msw|big|高字在前|高位在前|高前", plain) else None


def factor(text: str) -> tuple[float, str]:
    """`0.1`, `×0.1`, `/10`, `1/10`, `10^-1`, `0.1 V` -> (factor, the unit beside it). Raises ValueError."""
    plain = unicodedata.normalize("NFKC", text).strip().lower().replace("×", "x").replace(" ", "")
    if plain in _NONE:
        return 1.0, ""
    if power := re.fullmatch(r"[x*]?10\^?\(?(-\d)\)?", plain):
        return float(f"1e{power[1]}"), ""
    if weight := re.fullmatch(r"([a-z%]+)[x*](10+)", plain):  # Carlo Gavazzi's "Volt*10": the register counts tenths
        return 1 / float(weight[2]), weight[1]
    found = re.fullmatch(rf"(?:value|raw|数值)?(1/|/|÷|x|\*|除以|乘以)?({_NUMBER})(.*)", plain)
    if not found:
        raise ValueError(f"'{text}' is no factor: write it as 0.1, x0.1, /10 or 1/10")
    number = float(found[2].replace(",", "."))
    if number == 0:
        raise ValueError(f"'{text}' makes every value 0: write the factor, as 0.1")
    rest = text.strip()[-len(found[3]) :] if found[3] else ""
    return (1 / number if found[1] in ("1/", "/", "÷", "除以") else number), rest


def unit(text: str) -> str:
    """A unit as makers write it -> SenML's, or one that `units.factor` knows; empty where it is none or unknown."""
    plain = re.sub(r"^[\[(](.*)[\])]$", r"\1", unicodedata.normalize("NFKC", text.strip())).strip()
    if plain.lower() in _NONE and plain != "/":
        return ""
    if plain in units.SENML and plain not in ("C", "/"):
        return plain
    lowered = plain.lower().replace("³", "3").replace("㎡", "m2").replace("^3", "3").replace("^2", "2")
    if lowered in _UNIT_WORDS:
        return _UNIT_WORDS[lowered]
    if any(units.factor(plain, known) for known in units.SENML):
        return plain
    same = [known for known in sorted(units.SENML) if known.lower() == lowered and known not in ("C", "/")]
    more = {
        "kv": "kV",
        "mwh": "MWh",
        "kpa": "kPa",
        "mpa": "MPa",
        "mbar": "mbar",
        "bar": "bar",
        "mg/m3": "mg/m3",
        "km/h": "km/h",
    }
    return more.get(lowered) or (same[0] if same else "")
