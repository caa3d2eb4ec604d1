"""Every shipped profile can be emulated, and a reader that follows its poll plan sees what the emulator holds."""

import pytest
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
)

from device_profiles import loader, registers
from device_profiles.blocks import address, blocks
from simulators.device import EmulatedDevice
from simulators.modbus_answers import answer
from simulators.unit import units

READS = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
EMULATED = [name for name, profile in loader.profiles().items() if profile.modbus is not None]


def ask(unit, request):
    response = DecodePDU(False).decode(answer(unit, bytes([request.function_code]) + request.encode()))
    assert not response.isError(), f"exception {response.exception_code} to {request}"
    return response


def last_channel(profile) -> int:
    return profile.modbus.channels - 1


@pytest.fixture(params=EMULATED)
def device(request, clock) -> EmulatedDevice:
    profile = loader.profiles()[request.param]
    return EmulatedDevice(profile=profile, pole="P1", name="d-1", channel=last_channel(profile), clock=clock)


def test_the_poll_plan_reads_every_point(device, clock):
    unit = units([device])[device.unit]
    for _ in range(10):
        clock.ms += 61_000
        seen = {}
        for group in device.profile.polls:
            for block in blocks(device.profile, group, device.channel):
                response = ask(unit, READS[block.table](address=block.address, count=block.count))
                words = response.registers or [int(bit) for bit in response.bits]
                for part in block.parts:
                    point = device.points[part.point]
                    seen[part.point] = registers.value(point, words[part.start : part.start + part.count])
        assert seen == {point: device.value(point) for point in device.points}


def test_every_command_shows_in_its_read_back(device):
    unit = units([device])[device.unit]
    for name, command in device.profile.commands.items():
        for wanted in next(iter(command.args.values())).range:
            words = registers.words(command.write, wanted)
            place = address(command.write, device.channel)
            if command.write.table == "coil":
                ask(unit, WriteSingleCoilRequest(address=place, bits=[bool(words[0])]))
            else:
                ask(unit, WriteMultipleRegistersRequest(address=place, count=len(words), registers=words))
            assert abs(float(device.value(command.read_back)) - wanted) <= command.tolerance, name


def test_some_profile_moves_and_some_profile_is_commanded():
    profiles = [loader.profiles()[name] for name in EMULATED]
    assert any(profile.commands for profile in profiles)
    assert any(point.emulate and point.emulate.swing for profile in profiles for point in profile.points.values())
