"""Which column of a maker's register table holds what: headers in English and Chinese."""

import re
import unicodedata
from collections.abc import Sequence

# Column -> words of its header, normalised; the first column that fits wins. Longer words go before their parts.
HEADERS: dict[str, tuple[str, ...]] = {
    "address": (
        "register address", "modbus address", "reg address", "start address", "register number", "register no",
        "address", "addr", "register", "reg", "寄存器地址", "起始地址", "首地址", "地址", "寄存器号", "寄存器编号",
    ),
    "name": (
        "name", "parameter", "quantity", "measurement", "signal", "variable", "point", "description", "meaning",
        "content", "参数名称", "数据名称", "寄存器名称", "变量名称", "名称", "参数", "变量", "描述", "含义", "内容",
        "说明", "数据项",
    ),
    "short": ("label", "symbol", "tag", "mnemonic", "abbreviation", "identifier", "符号", "代号", "标识"),
    "type": ("data type", "datatype", "data format", "type", "format", "数据类型", "数据格式", "类型", "格式"),
    "unit": ("unit", "units", "engineering unit", "单位"),
    "divisor": ("divisor", "divide by", "gain", "除数", "放大倍数", "增益"),
    "scale": (
        "scale", "scaling", "scale factor", "factor", "multiplier", "resolution", "coefficient", "ratio",
        "比例系数", "系数", "倍率", "分辨率", "比例", "缩放", "精度",
    ),
    "function": (
        "function code", "modbus function", "function", "fc", "func", "register type", "table", "object type",
        "功能码", "寄存器类型", "功能号",
    ),
    "access": (
        "access", "r w", "rw", "read write", "mode", "property", "读写属性", "读写", "访问", "权限", "属性", "操作",
    ),
    "count": (
        "number of registers", "register count", "length", "size", "registers", "words", "count",
        "寄存器数量", "寄存器个数", "长度", "字数", "数量",
    ),
    "order": ("word order", "byte order", "endian", "字节序", "字序", "字节顺序", "高低字"),
    "bit": ("bit", "bit number", "位"),
}  # fmt: skip
REQUIRED = ("address", "name")
_HEX = re.compile(r"\b(hex|hexadecimal)\b|十六进制|16进制")


def plain(text: str) -> str:
    """A header without case, brackets and signs: "Address (Hex)" is "address hex"."""
    text = unicodedata.normalize("NFKC", text).strip().lower()
    return " ".join(re.sub(r"[^0-9a-z一-鿿]+", " ", text).split())


def is_hexadecimal(header: str) -> bool:
    """True where the column's numbers are hexadecimal although nothing marks them."""
    return _HEX.search(plain(header)) is not None


def columns(headers: Sequence[str]) -> dict[str, int]:
    """Headers -> which column holds what, for those that are known."""
    normal = [_HEX.sub(" ", plain(header)).strip() for header in headers]
    found: dict[str, int] = {}
    for exactly in (True, False):
        for column, words in HEADERS.items():
            place = None if column in found else _place(normal, words, set(found.values()), exactly)
            if place is not None:
                found[column] = place
    return found


def _place(headers: Sequence[str], words: Sequence[str], taken: set[int], exactly: bool) -> int | None:
    for word in words:
        for place, header in enumerate(headers):
            if place not in taken and (header == word if exactly else _holds(header, word)):
                return place
    return None


def _holds(header: str, word: str) -> bool:
    return word in header if not word.isascii() else f" {word} " in f" {header} "
