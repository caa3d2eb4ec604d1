"""Makers' tables as they come: two languages, three delimiters, two encodings, six ways to write an address."""

from pathlib import Path

import pytest

from device_profiles.drafts import cells
from device_profiles.drafts.table import RegisterTable, read
from device_profiles.problems import FileProblem

ENGLISH = "Address,Parameter,Data type,Unit,Scale,Function code,R/W\n"


def table(tmp_path: Path, text: str, encoding: str = "utf-8", **options: object) -> RegisterTable:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return read(path, **options)  # type: ignore[arg-type]


def refusal(tmp_path: Path, text: str, **options: object) -> list[str]:
    with pytest.raises(FileProblem) as caught:
        table(tmp_path, text, **options)
    return [message.removeprefix(str(tmp_path / "table.csv")) for message in caught.value.messages]


def places(found: RegisterTable) -> list[tuple[str, str, int, str, float, str]]:
    return [(row.name, row.table, row.address, row.type, row.scale, row.unit) for row in found.rows]


def test_an_english_table(tmp_path):
    found = table(
        tmp_path, ENGLISH + "0x0010,Temp,INT16,℃,0.1,03,R\n18,Import,UINT32,Wh,x10,4,R\n20,Relay,uint16,,,3,R/W\n"
    )
    assert places(found) == [
        ("Temp", "holding", 16, "int16", 0.1, "Cel"),
        ("Import", "input", 18, "uint32", 10, "Wh"),
        ("Relay", "holding", 20, "uint16", 1, ""),
    ]
    assert [row.writable for row in found.rows] == [False, False, True]
    assert [row.line for row in found.rows] == [2, 3, 4]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_chinese_table_in_each_encoding_and_delimiter(tmp_path, encoding, delimiter):
    text = (
        "XX型电能表寄存器表\n寄存器地址,参数名称,数据类型,单位,倍率,功能码,读写\n"
        "0000H,A相电压,无符号整数,V,0.1,03,只读\n0002H,有功总功率,有符号32位,kW,0.001,03,只读\n"
        "0004H,频率,浮点数,Hz,1,04,只读\n0006H,保留,,,,03,\n0010H,通讯地址,无符号16位,,,03,读写\n"
    ).replace(",", delimiter)
    found = table(tmp_path, text, encoding)
    assert places(found) == [
        ("A相电压", "holding", 0, "uint16", 0.1, "V"),
        ("有功总功率", "holding", 2, "int32", 0.001, "kW"),
        ("频率", "input", 4, "float32", 1, "Hz"),
        ("通讯地址", "holding", 16, "uint16", 1, ""),
    ]
    assert found.skipped == ((6, "0006H: 保留"),)
    assert [row.writable for row in found.rows] == [False, False, False, True]


def test_numbers_of_the_kind_30001_and_40001_are_noticed(tmp_path):
    found = table(tmp_path, "register,name,type\n30001,a,float\n40011,b,u16\n")
    assert [(row.table, row.address) for row in found.rows] == [("input", 0), ("holding", 10)]
    assert "30001" in found.numbering


def test_a_function_code_that_contradicts_makes_40001_an_address(tmp_path):
    found = table(tmp_path, "register,name,type,function\n40001,a,float,4\n30003,b,u16,3\n")
    assert [(row.table, row.address) for row in found.rows] == [("input", 40001), ("holding", 30003)]


@pytest.mark.parametrize(
    ("text", "base", "address"),
    [("16", None, 16), ("16", 1, 15), ("0x10", 1, 15), ("40017", 1, 16), ("40017", 0, 40017), ("4x0017", None, 16),
     ("4x0016", 0, 16), ("0x10-0x11", None, 16), ("400017", None, 16)],
)  # fmt: skip
def test_the_first_register_is_0_or_1(tmp_path, text, base, address):
    found = table(tmp_path, f"address,name,type\n{text},a,\n", base=base, table="holding")
    assert found.rows[0].address == address


def test_a_column_of_hexadecimal_numbers_says_so_in_its_header(tmp_path):
    found = table(tmp_path, "Address (Hex),Name,Type\n10,a,u16\n1F,b,u16\n", table="input")
    assert [row.address for row in found.rows] == [0x10, 0x1F]


def test_a_span_of_addresses_tells_the_width(tmp_path):
    found = table(tmp_path, "address,name,type\n0x2006-0x2007,a,\n0x2008~0x2009,b,unsigned\n0x200A,c,\n", table="input")
    assert [row.type for row in found.rows] == ["uint32", "uint32", "uint16"]


@pytest.mark.parametrize(
    ("text", "count", "type"),
    [("U16", 0, "uint16"), ("INT16U", 0, "uint16"), ("s16", 0, "int16"), ("short", 0, "int16"), ("word", 1, "uint16"),
     ("DWORD", 0, "uint32"), ("unsigned long", 0, "uint32"), ("long", 0, "int32"), ("int", 2, "int32"),
     ("float", 0, "float32"), ("Float CDAB", 2, "float32"), ("REAL", 0, "float32"), ("double", 4, "float64"),
     ("64位无符号", 0, "uint64"), ("双字", 0, "uint32"), ("", 4, "uint64"), ("Signed integer", 0, "int16"),
     ("32-bit float", 0, "float32"), ("bit", 0, "bool")],
)  # fmt: skip
def test_types_as_makers_write_them(text, count, type):
    assert cells.number_type(text, count) == type


@pytest.mark.parametrize(
    ("text", "factor"),
    [("0.1", 0.1), ("×0.1", 0.1), ("/10", 0.1), ("1/10", 0.1), ("10^-1", 0.1), ("0,01", 0.01), ("除以100", 0.01),
     ("Volt*10", 0.1), ("0.1 V", 0.1), ("", 1), ("-", 1), ("1", 1), ("10", 10)],
)  # fmt: skip
def test_factors_as_makers_write_them(text, factor):
    assert cells.factor(text)[0] == pytest.approx(factor)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("℃", "Cel"), ("°C", "Cel"), ("KWH", "kWh"), ("kW·h", "kWh"), ("VDC", "V"), ("μg/m³", "ug/m3"), ("%RH", "%RH"),
     ("Lux", "lx"), ("dB(A)", "dB"), ("[V]", "V"), ("kPa", "kPa"), ("MWh", "MWh"), ("", ""), ("-", ""),
     ("度", "kWh"), ("°", "deg")],
)  # fmt: skip
def test_units_as_makers_write_them(text, unit):
    assert cells.unit(text) == unit


@pytest.mark.parametrize(
    ("text", "table"),
    [("03", "holding"), ("0x04", "input"), ("FC02", "discrete"), ("03/06", "holding"), ("03H", "holding"),
     ("保持寄存器", "holding"), ("Input register", "input"), ("Coil", "coil")],
)  # fmt: skip
def test_function_codes_as_makers_write_them(text, table):
    assert cells.table(text) == table


def test_low_word_first_is_told_by_the_type_a_column_or_an_option(tmp_path):
    text = "address,name,type,word order\n0,a,float CDAB,\n2,b,u32,low word first\n4,c,u32,\n6,d,u16,\n"
    found = table(tmp_path, text, table="input", word_order="high_first")
    assert [row.word_order for row in found.rows] == ["low_first", "low_first", "high_first", None]


def test_what_is_no_number_is_left_out_with_the_reason(tmp_path):
    found = table(tmp_path, "address,name,type\n0,Serial,ASCII\n4,a,u16\n", table="input")
    assert (len(found.rows), found.skipped) == (1, ((2, "Serial: 'ASCII' is no number"),))


@pytest.mark.parametrize(
    ("rows", "messages"),
    [
        ("x1,a,u16,V,1,3,R", [":2: address: 'x1' is no address: write it as 16, 0x10, 10H, 30017 or 4x0017."]),
        ("0,a,unit32,V,1,3,R", [":2: type: 'unit32' is no type. Did you mean 'uint32'?"]),
        ("0,a,u16,V,tenths,3,R", [":2: scale: 'tenths' is no factor: write it as 0.1, x0.1, /10 or 1/10."]),
        ("0,a,u16,V,0,3,R", [":2: scale: '0' makes every value 0"]),
        ("0,a,u16,V,1,99,R", [":2: address: '99' is no function code"]),
        ("0,a,u16,V,1,,R", [":2: address: 0 may stand in any table: add a column `function code`, or say --table"]),
        ("0,a,float,V,1,3,R\n1,b,u16,V,1,3,R", [":3: address: holding 1 (uint16) overlaps line 2, 'a' at 0 (float32)"]),
        ("0,a,badc,V,1,3,R", [":2: word order: 'badc'"]),
        ("70000,a,u16,V,1,3,R", [":2: address: 70000 is address 70000 in the frame"]),
        ("0,a,bool,V,1,3,R", [":2: bit: a bool in a holding register needs its bit"]),
        ("0,a,u16,V,1,3,R\n5,b,u61,V,1,3,R\nx,c,u16,V,1,3,R", [":4: address: 'x'", ":3: type: 'u61'"]),
    ],
)  # fmt: skip
def test_a_bad_line_is_told_with_its_number(tmp_path, rows, messages):
    told = refusal(tmp_path, ENGLISH + rows + "\n")
    assert len(told) == len(messages)
    for message, start in zip(told, messages, strict=True):
        assert message.startswith(start)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": the file is empty."),
        (b"register map of the W3\n", ":1: no columns: separate them by commas, semicolons or tabs."),
        (b"Address,Type\n0,u16\n", ":1: no column holds the name."),
        (b"Foo,Bar\n0,u16\n", ":1: no column holds the address and name."),
        (b"Address,Name\n", ": the table has no register below its header (line 1)."),
        (b"Address,Name\n\xff\xff,\xff\n", ": neither UTF-8 nor GB18030."),
    ],
)
def test_a_file_that_is_no_table_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(FileProblem) as caught:
        read(path)
    assert len(caught.value.messages) == 1
    assert caught.value.messages[0].startswith(f"{path}{message}")


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(FileProblem, match=r"none\.csv: cannot be read: No such file"):
        read(tmp_path / "none.csv")
