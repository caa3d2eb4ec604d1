"""What an operator sees and decides of devices that two nodes announce, on the file that running workers look at."""

import json

from ingest.config import Config
from ingest.errors import IngestError
from ingest.owners import Owners
from wire.names import NAME_RULE, is_name


async def lines(config: Config, as_json: bool) -> list[str]:
    """A line for each decision."""
    keys = ("area", "device", "node", "why")
    decided = Owners(path=config.owners).all()
    return [json.dumps(dict(zip(keys, each, strict=True))) if as_json else " ".join(each) for each in decided]


async def decide(config: Config, area: str, device: str, node: str) -> None:
    """Raises IngestError."""
    pole, slash, name = device.partition("/")
    if not slash or not is_name(pole) or not is_name(name):
        raise IngestError(f"device: write pole/device, as P0001/air-1, and not {device!r}; a name has {NAME_RULE}")
    for key, told in (("area", area), ("node", node)):
        if not is_name(told):
            raise IngestError(f"{key}: a name has {NAME_RULE}; not {told!r}")
    Owners(path=config.owners).write([((area, f"{device}/"), node, "operator")])
