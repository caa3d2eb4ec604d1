"""The DL/T 645 meter on a serial port, which says its number to who does not know it."""

from collections.abc import Mapping
from dataclasses import dataclass

from device_profiles.schema import Profile
from gateway.asked.dlt645_asker import Dlt645Asker
from protocols.errors import DeviceError, LineDown

BAUDS = (2400, 1200, 4800, 9600)  # the standard's own rate first; parity is even at all of them


@dataclass(frozen=True, kw_only=True)
class Meter:
    """profiles: those of whose items it answers most, more than one where they tie. items: how many it answers."""

    port: str
    baud: int
    address: str
    profiles: tuple[str, ...]
    items: int

    def sentence(self) -> str:
        if not self.profiles:
            return "a DL/T 645 meter that refuses every item of our profiles"
        return f"{' or '.join(self.profiles)}: all {self.items} items answer"


async def find_meter(port: str, profiles: Mapping[str, Profile]) -> list[Meter]:
    """The only meter on the line; none where none, or more than one, answers. Raises LineDown."""
    for baud in BAUDS:
        asker = Dlt645Asker(port=port, baud=baud)
        try:
            address = await asker.find()
            return [await _recognised(asker, port, baud, address, profiles)]
        except LineDown:
            raise
        except DeviceError:
            continue
        finally:
            await asker.close()
    return []


async def _recognised(asker: Dlt645Asker, port: str, baud: int, address: str, profiles: Mapping[str, Profile]) -> Meter:
    wanted = {
        name: {point.item.name for point in profile.points.values() if point.item is not None}
        for name, profile in profiles.items()
        if profile.protocol == "dlt645"
    }
    everything = sorted(set().union(*wanted.values()))
    try:
        answers = await asker.ask(address, everything)
    except LineDown:
        raise
    except DeviceError:
        answers = {}
    good = {item for item, answer in answers.items() if not isinstance(answer, DeviceError)}
    whole = {name: len(items) for name, items in wanted.items() if items <= good}
    most = max(whole.values(), default=0)
    names = tuple(sorted(name for name, count in whole.items() if count == most))
    return Meter(port=port, baud=baud, address=address, profiles=names, items=most)
