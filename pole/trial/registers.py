"""Asks a Modbus device for every point of a profile, block by block."""

from collections.abc import Callable

from device_profiles.blocks import Block, Part, address, blocks
from device_profiles.registers import NoValue, value
from device_profiles.schema import BIT_TABLES, WORDS, Profile
from gateway.modbus.bus import Bus, Line
from gateway.modbus.poller import answer_wait
from pole.trial.hints import hints
from pole.trial.outcome import Asked, Round, Shown
from protocols import modbus
from protocols.errors import DeviceError, LineDown, Refused

TRIES = 2  # a frame that noise spoilt is asked for once more


class RegisterTrial:
    """framing, as golden files call it: rtu or tcp."""

    def __init__(self, *, profile: Profile, line: Line, framing: str, unit: int, channel: int = 0) -> None:
        self.framing = framing
        self._profile = profile
        self._bus = Bus(name="try", line=line)
        self._unit = unit
        self._channel = channel

    async def round(self) -> Round:
        """Reads everything once. A device that does not answer is in the outcome and not raised; LineDown too."""
        done = Round()
        image: dict[tuple[str, int], int] = {}
        for group in self._profile.polls:
            for block in blocks(self._profile, group, self._channel):
                error = await self._ask(block, done, image)
                if isinstance(error, LineDown):
                    return done
                if isinstance(error, Refused) and len(block.parts) > 1:
                    await self._one_by_one(block, done, image)
        for name in self._profile.points:
            self._show(name, done, image)
        return done

    async def close(self) -> None:
        await self._bus.close()

    async def _ask(self, block: Block, done: Round, image: dict[tuple[str, int], int]) -> DeviceError | None:
        request = modbus.read(block.table, block.address, block.count)
        error: DeviceError | None = None
        for _ in range(TRIES):
            try:
                answer = await self._bus.transact(self._unit, request, answer_wait(self._profile))
            except DeviceError as failure:
                error = failure
                if isinstance(failure, (Refused, LineDown)):
                    break
            else:
                words = modbus.items(request, answer)
                image |= {(block.table, block.address + index): word for index, word in enumerate(words)}
                done.asked.append(Asked(what=_where(block)))
                done.exchanges.append(self._frames(len(done.exchanges) + 1, request, answer))
                return None
        done.asked.append(Asked(what=_where(block), error=error))
        return error

    async def _one_by_one(self, block: Block, done: Round, image: dict[tuple[str, int], int]) -> None:
        """After a refusal: which points of the block are there."""
        refused = len(done.asked) - 1
        good = 0
        for part in block.parts:
            first = block.address + part.start
            alone = Part(key=part.key, start=0, count=part.count)
            one = Block(table=block.table, address=first, count=part.count, parts=(alone,))
            good += await self._ask(one, done, image) is None
        if good == len(block.parts):
            remedy = "its points answer one by one: set modbus.gap: 0, or a smaller modbus.block"
        else:
            remedy = f"{good} of its {len(block.parts)} points answer one by one"
        done.asked[refused] = Asked(what=done.asked[refused].what, error=done.asked[refused].error, remedy=remedy)

    def _show(self, name: str, done: Round, image: dict[tuple[str, int], int]) -> None:
        point = self._profile.points[name]
        assert point.at is not None
        first = address(point.at, self._channel)
        places = [(point.at.table, first + index) for index in range(WORDS[point.at.type])]
        if not all(place in image for place in places):
            return
        words = [image[place] for place in places]
        raw = str(words[0]) if point.at.table in BIT_TABLES else " ".join(f"{word:04x}" for word in words)
        told = hints(point, words, image, self._channel)
        try:
            done.shown[name] = Shown(point=name, raw=raw, value=value(point, words), hints=told)
        except NoValue as reason:
            done.shown[name] = Shown(point=name, raw=raw, value=None, quality=str(reason), hints=told)

    def _frames(self, number: int, request: bytes, answer: bytes) -> tuple[str, str]:
        """As they were on the wire; the MBAP's transaction numbers count from 1."""
        wrap: Callable[[bytes], bytes] = (
            (lambda pdu: modbus.rtu(self._unit, pdu))
            if self.framing == "rtu"
            else (lambda pdu: modbus.mbap(number, self._unit, pdu))
        )
        return wrap(request).hex(" "), wrap(answer).hex(" ")


def _where(block: Block) -> str:
    last = block.address + block.count - 1
    span = f"{block.address}" if block.count == 1 else f"{block.address} to {last}"
    return f"{block.table} {span}"
