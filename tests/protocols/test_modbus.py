import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse

from protocols import errors, modbus

UNIT = 5
READS = st.one_of(
    st.builds(modbus.read, st.sampled_from(["holding", "input"]), st.integers(0, 65000), st.integers(1, 125)),
    st.builds(modbus.read, st.sampled_from(["coil", "discrete"]), st.integers(0, 63000), st.integers(1, 2000)),
)
WRITES = st.one_of(
    st.builds(
        modbus.write,
        st.just("holding"),
        st.integers(0, 65000),
        st.lists(st.integers(0, 65535), min_size=1, max_size=123),
    ),
    st.builds(
        modbus.write, st.just("coil"), st.integers(0, 63000), st.lists(st.integers(0, 1), min_size=1, max_size=1968)
    ),
)


def answer_to(request):
    """A right answer, with data that differ from byte to byte."""
    size = modbus.answer_length(request)
    if request[0] > 4:
        return request[:5]
    return bytes((request[0], size - 2)) + bytes(index * 37 % 256 for index in range(size - 2))


@pytest.mark.parametrize(
    ("pdu", "wanted"),
    [  # Modbus Application Protocol 1.1b3, the examples of sections 6.1 to 6.12
        (modbus.read("coil", 0x13, 0x13), "01 0013 0013"),
        (modbus.read("discrete", 0xC4, 0x16), "02 00c4 0016"),
        (modbus.read("holding", 0x6B, 3), "03 006b 0003"),
        (modbus.read("input", 8, 1), "04 0008 0001"),
        (modbus.write("coil", 0xAC, [1]), "05 00ac ff00"),
        (modbus.write("holding", 1, [3]), "06 0001 0003"),
        (modbus.write("coil", 0x13, [1, 0, 1, 1, 0, 0, 1, 1, 1, 0]), "0f 0013 000a 02 cd01"),
        (modbus.write("holding", 1, [0x0A, 0x0102]), "10 0001 0002 04 000a 0102"),
    ],
)
def test_requests_of_the_standard(pdu, wanted):
    assert pdu == bytes.fromhex(wanted)


@pytest.mark.parametrize(
    ("request_pdu", "answer", "wanted"),
    [
        ("03 006b 0003", "03 06 022b 0000 0064", [0x22B, 0, 0x64]),
        ("04 0008 0001", "04 02 000a", [10]),
        ("02 00c4 0016", "02 03 acdb35", [int(bit) for bit in "0011010111011011101011"]),
    ],
)
def test_answers_of_the_standard(request_pdu, answer, wanted):
    assert modbus.items(bytes.fromhex(request_pdu), bytes.fromhex(answer)) == wanted


@given(st.one_of(READS, WRITES), st.integers(1, 247), st.integers(0, 65535))
def test_pymodbus_reads_our_frames(pdu, unit, transaction):
    rtu, tcp = FramerRTU(DecodePDU(True)), FramerSocket(DecodePDU(True))
    assert rtu.decode(modbus.rtu(unit, pdu))[1::2] == (unit, pdu)
    assert tcp.decode(modbus.mbap(transaction, unit, pdu))[1:] == (unit, transaction, pdu)
    assert rtu.encode(pdu, unit, 0) == modbus.rtu(unit, pdu)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=125))
def test_we_read_the_frames_of_pymodbus(registers):
    answer = ReadHoldingRegistersResponse(registers=registers, dev_id=UNIT)
    frame = FramerRTU(DecodePDU(False)).buildFrame(answer)
    request = modbus.read("holding", 0, len(registers))
    found, _ = modbus.find_rtu(frame, UNIT, request)
    assert modbus.items(request, found) == registers


@given(READS, st.integers(1, 255))
def test_an_exception_of_pymodbus_is_typed(request, code):
    frame = FramerRTU(DecodePDU(False)).buildFrame(ExceptionResponse(request[0], code, device_id=UNIT))
    found, _ = modbus.find_rtu(frame, UNIT, request)
    with pytest.raises(modbus.ExceptionReply) as caught:
        modbus.check_answer(request, found)
    assert caught.value.quality == f"exception-{code}"


@given(st.one_of(READS, WRITES))
def test_truncated_at_each_byte_it_says_how_many_are_missing(request):
    frame = modbus.rtu(UNIT, answer_to(request))
    for end in range(len(frame)):
        found, missing = modbus.find_rtu(frame[:end], UNIT, request)
        assert found is None
        assert 0 < missing <= max(len(frame) - end, 5)
        assert isinstance(modbus.explain_rtu(frame[:end], UNIT, request), errors.DeviceError)
    assert modbus.find_rtu(frame, UNIT, request) == (answer_to(request), 0)


@given(READS, st.binary(max_size=30), st.booleans())
def test_noise_and_an_echo_before_an_answer_are_skipped(request, noise, echo):
    before = modbus.rtu(UNIT, request) if echo else noise
    found, _ = modbus.find_rtu(before + modbus.rtu(UNIT, answer_to(request)), UNIT, request)
    assert found == answer_to(request)


def test_an_echo_of_a_write_is_no_answer_where_the_line_echoes():
    request = modbus.write("holding", 7, [1])
    frame = modbus.rtu(UNIT, request)
    assert modbus.find_rtu(frame, UNIT, request) == (request, 0)
    assert modbus.find_rtu(frame, UNIT, request, echoing=True)[0] is None
    assert modbus.find_rtu(frame + frame, UNIT, request, echoing=True) == (request, 0)


@given(READS, st.integers(0, 2000))
def test_one_flipped_bit_is_never_an_answer(request, place):
    frame = bytearray(modbus.rtu(UNIT, answer_to(request)))
    place %= 8 * len(frame)
    frame[place // 8] ^= 1 << place % 8
    assert modbus.find_rtu(bytes(frame), UNIT, request)[0] is None
    assert modbus.explain_rtu(bytes(frame), UNIT, request).quality == "crc"


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (modbus.rtu(9, bytes.fromhex("03 04 00010002")), "address"),
        (modbus.rtu(UNIT, bytes.fromhex("04 04 00010002")), "function"),
        (modbus.rtu(UNIT, bytes.fromhex("03 02 0001")), "function"),
        (modbus.rtu(UNIT, bytes.fromhex("03 04 00010002"))[:-2] + b"\0\0", "crc"),
        (modbus.rtu(UNIT, bytes.fromhex("03 04 00010002"))[:-1], "short"),
    ],
)
def test_what_is_wrong_with_a_frame_has_a_name(frame, fault):
    request = modbus.read("holding", 0, 2)
    assert modbus.find_rtu(frame, UNIT, request)[0] is None
    assert modbus.explain_rtu(frame, UNIT, request).fault == fault


@given(st.one_of(READS, WRITES), st.binary(max_size=300))
def test_garbage_never_crashes(request, garbage):
    modbus.find_rtu(garbage, UNIT, request)
    assert isinstance(modbus.explain_rtu(garbage, UNIT, request), errors.DeviceError)
    with contextlib.suppress(errors.DeviceError):
        modbus.items(request, garbage)
    with contextlib.suppress(errors.BadAnswer):
        modbus.split_mbap(garbage)


@given(st.integers(0, 65535), st.integers(0, 255), st.binary(min_size=1, max_size=253), st.binary(max_size=9))
def test_a_tcp_frame_splits_off_at_its_last_byte(transaction, unit, pdu, rest):
    frame = modbus.mbap(transaction, unit, pdu)
    for end in range(len(frame)):
        missing = modbus.split_mbap(frame[:end])
        assert isinstance(missing, int)
        assert 0 < missing <= len(frame) - end
    assert modbus.split_mbap(frame + rest) == (transaction, unit, pdu, rest)


@pytest.mark.parametrize(("table", "count"), [("holding", 126), ("holding", 0), ("coil", 2001)])
def test_a_read_beyond_the_standards_limit_is_refused(table, count):
    with pytest.raises(ValueError, match="items"):
        modbus.read(table, 0, count)
