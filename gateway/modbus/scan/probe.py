"""Is there a unit? One short read that any device answers, be it with an exception."""

import asyncio
from dataclasses import dataclass, replace

from device_profiles.bus_time import Line as Settings
from gateway.modbus.bus import Line
from protocols import modbus
from protocols.errors import BadAnswer, Timeout

REQUEST = modbus.read("holding", 0, 1)
# For who keeps silent to that: some devices say nothing to a function that they do not have.
THOROUGH = (REQUEST, modbus.read("input", 0, 1), modbus.read("discrete", 0, 1), modbus.read("coil", 0, 1))
TRIES = 3  # where bytes came that were no frame
ANSWER_S, ANSWER_CHARACTERS = 0.15, 20  # our slowest profile takes 0.1 s; an adapter's timer 16 ms
NETWORK_S, CONVERTER_S = 1.0, 0.5  # what a gateway on the network gives the devices behind it
LATE_S = 1.0  # nobody is waited for longer than that


@dataclass(frozen=True, kw_only=True)
class Found:
    """seconds: from the request to the answer. refusal: the exception's code. spoilt: answers that were no frame."""

    unit: int
    seconds: float
    refusal: int | None = None
    spoilt: int = 0
    is_late: bool = False


@dataclass(frozen=True, kw_only=True)
class Garbled:
    """Something answers to this unit, and never with a right frame. fault: as errors.BadAnswer says it.

    is_stray: only once, and then there was silence: it was hardly this unit's answer.
    """

    unit: int
    fault: str
    detail: str
    is_stray: bool


def usual_wait(line: Settings | None, framing: str = "rtu") -> float:
    """Seconds beyond the time on the wire; line is None on a network."""
    if line is None:
        return NETWORK_S if framing == "tcp" else CONVERTER_S
    return ANSWER_S + ANSWER_CHARACTERS * line.character


def expected_seconds(line: Line, units: int, wait: float) -> float:
    """How long it takes to ask so many units of which none is there."""
    characters = len(REQUEST) + modbus.answer_length(REQUEST) + 2 * modbus.RTU_EXTRA
    return units * ((characters * line.times.character if line.times else 0.0) + wait)


async def look(line: Line, unit: int, wait: float, request: bytes = REQUEST) -> Found | Garbled | None:
    """One unit. Raises LineDown; BadAnswer where the line is never quiet, or another unit speaks."""
    bad: list[BadAnswer] = []
    for _ in range(TRIES):
        began = asyncio.get_running_loop().time()
        try:
            answer = await line.exchange(unit, request, wait)
            modbus.check_answer(request, answer)
        except modbus.ExceptionReply as error:
            if error.code in modbus.NOBODY_THERE:
                return None
            return _found(unit, began, len(bad), error.code)
        except Timeout:
            if not bad:
                return None
        except BadAnswer as error:
            if error.fault in ("noise", "address", "header"):
                raise
            bad.append(error)
        else:
            return _found(unit, began, len(bad))
    return Garbled(unit=unit, fault=bad[-1].fault, detail=str(bad[-1]), is_stray=len(bad) == 1)


def _found(unit: int, began: float, spoilt: int, refusal: int | None = None) -> Found:
    seconds = asyncio.get_running_loop().time() - began
    return Found(unit=unit, seconds=seconds, refusal=refusal, spoilt=spoilt)


async def look_patiently(line: Line, unit: int, wait: float, request: bytes = REQUEST) -> Found | None:
    """A unit that may need long; None where it is not there."""
    try:
        found = await look(line, unit, wait, request)
    except BadAnswer:
        return None
    return replace(found, is_late=True) if isinstance(found, Found) else None
