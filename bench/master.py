"""Other masters on the same line: one that works through a list of requests, and pymodbus as its examples use it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import serial
from pymodbus.client import AsyncModbusSerialClient
from pymodbus.exceptions import ModbusException

from bench.plans import Read
from bench.wire import EmulatedBus
from device_profiles.bus_time import Line
from protocols import modbus

PATIENCE_S = 0.3
SETTLE_S = 0.05


@dataclass(kw_only=True)
class Outcome:
    """Of one pass through a list of requests. refused, silent: places in that list."""

    seconds: float = 0.0
    refused: list[int] = field(default_factory=list)
    silent: list[int] = field(default_factory=list)


def plain(bus: EmulatedBus, reads: Sequence[Read]) -> Outcome:
    """One request after the other, each answered before the next, and the silences kept."""
    pause = Line(baud=bus.baud, parity=bus.parity, stop_bits=bus.stop_bits).silence
    outcome = Outcome()
    with serial.Serial(str(bus.path), bus.baud, timeout=PATIENCE_S) as port:
        time.sleep(SETTLE_S)
        began = time.monotonic()
        for index, read in enumerate(reads):
            request = modbus.read(read.table, read.address, read.count)
            port.write(modbus.rtu(read.unit, request))
            head = port.read(5)
            if len(head) < 5:
                outcome.silent.append(index)
            elif head[1] & 0x80:
                outcome.refused.append(index)
            else:
                port.read(modbus.answer_length(request) + modbus.RTU_EXTRA - 5)
            time.sleep(pause)
        outcome.seconds = time.monotonic() - began
    return outcome


async def pymodbus(bus: EmulatedBus, reads: Sequence[Read]) -> Outcome:
    """AsyncModbusSerialClient with its defaults, one awaited call after the other; `retries` 0 counts each once."""
    client = AsyncModbusSerialClient(str(bus.path), baudrate=bus.baud, timeout=PATIENCE_S, retries=0)
    calls = {
        "coil": client.read_coils, "discrete": client.read_discrete_inputs, "holding": client.read_holding_registers,
        "input": client.read_input_registers,
    }  # fmt: skip
    outcome = Outcome()
    await client.connect()
    await asyncio.sleep(SETTLE_S)
    began = time.monotonic()
    for index, read in enumerate(reads):
        try:
            answer = await calls[read.table](read.address, count=read.count, device_id=read.unit)
        except ModbusException:
            outcome.silent.append(index)
            if not client.connected:
                await client.connect()
        else:
            if answer.isError():
                outcome.refused.append(index)
    outcome.seconds = time.monotonic() - began
    client.close()
    return outcome
