"""A request's PDU and a unit to the answer's PDU, by pymodbus: a codec that is not the gateway's own."""

from pymodbus.exceptions import ModbusException
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsResponse,
    ReadDiscreteInputsResponse,
    WriteMultipleCoilsResponse,
    WriteSingleCoilResponse,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersResponse,
    ReadInputRegistersResponse,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterResponse,
)

from simulators.unit import ILLEGAL_VALUE, READS, EmulatedUnit, Refused

ILLEGAL_FUNCTION = 1  # Modbus Application Protocol V1.1b3, section 7
COIL_STATES = (b"\xff\x00", b"\x00\x00")  # on, off; all others are illegal (section 6.5)
DECODER = DecodePDU(True)

_BITS = {1: ReadCoilsResponse, 2: ReadDiscreteInputsResponse}
_REGISTERS = {3: ReadHoldingRegistersResponse, 4: ReadInputRegistersResponse}
_WRITES = {5: "coil", 15: "coil", 6: "holding", 16: "holding"}
FUNCTIONS = frozenset(READS) | frozenset(_WRITES)


def answer(unit: EmulatedUnit, request: bytes) -> bytes:
    """Function code and data -> function code and data; what the unit refuses is a Modbus exception."""
    unit.requests += 1
    function = request[0]
    trouble = unit.trouble()
    if trouble is not None:
        return _encoded(ExceptionResponse(function, trouble))
    if function not in FUNCTIONS:
        return _encoded(ExceptionResponse(function & 0x7F, ILLEGAL_FUNCTION))
    try:
        decoded = DECODER.decode(request)
        if decoded is None:
            raise Refused(ILLEGAL_VALUE)
        if function == 5 and request[3:] not in COIL_STATES:
            raise Refused(ILLEGAL_VALUE)
        return _encoded(_read(unit, decoded) if function in READS else _written(unit, decoded))
    except (Refused, ModbusException) as error:
        return _encoded(ExceptionResponse(function, error.code if isinstance(error, Refused) else ILLEGAL_VALUE))


def _read(unit: EmulatedUnit, request: ModbusPDU) -> ModbusPDU:
    words = unit.read(READS[request.function_code], request.address, request.count)
    if request.function_code in _BITS:
        return _BITS[request.function_code](bits=[bool(word) for word in words])
    return _REGISTERS[request.function_code](registers=words)


def _written(unit: EmulatedUnit, request: ModbusPDU) -> ModbusPDU:
    function, address = request.function_code, request.address
    coils = _WRITES[function] == "coil"
    words = [int(bit) for bit in request.bits] if coils else list(request.registers)
    if function in (15, 16) and request.count != len(words):
        raise Refused(ILLEGAL_VALUE)
    unit.write(_WRITES[function], address, words)
    if function == 5:
        return WriteSingleCoilResponse(address=address, bits=request.bits)
    if function == 6:
        return WriteSingleRegisterResponse(address=address, registers=words)
    kind = WriteMultipleCoilsResponse if coils else WriteMultipleRegistersResponse
    return kind(address=address, count=request.count)


def _encoded(response: ModbusPDU) -> bytes:
    return bytes([response.function_code]) + response.encode()
