"""`pole` with the bench's profiles beside the shipped ones, and a look at how late the gateway's loop comes.

python -m bench.size_gateway FOLDER gateway run SITE      (FOLDER has the profiles; loop.json is written there)
"""

import asyncio
import json
import sys
from array import array
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

LOOK_S = 0.1
LOOKS = 36_000  # an hour


class Lag:
    """How much later than asked a sleep of the loop ends, in seconds."""

    def __init__(self) -> None:
        self._seen = array("f", bytes(4 * LOOKS))  # all of it at once: the bench must not be what grows
        self._looks = 0

    async def look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOK_S
            await asyncio.sleep(LOOK_S)
            self._seen[self._looks % LOOKS] = loop.time() - due
            self._looks += 1

    def told(self) -> dict[str, float]:
        ordered = sorted(self._seen[: self._looks]) or [0.0]
        shares = {"p50": 0.5, "p99": 0.99, "worst": 1.0}
        return {name: round(ordered[int((len(ordered) - 1) * share)], 4) for name, share in shares.items()}


def _watched(run: Callable[..., Awaitable[None]], folder: Path) -> Callable[..., Awaitable[None]]:
    async def watched(**arguments: Any) -> None:
        lag = Lag()
        look = asyncio.create_task(lag.look())
        try:
            await run(**arguments)
        finally:
            look.cancel()
            (folder / "loop.json").write_text(json.dumps(lag.told()), encoding="utf-8")

    return watched


def main() -> None:
    folder = Path(sys.argv.pop(1))
    from device_profiles import loader

    for path in sorted(folder.glob("twenty-*.yaml")):
        loader.files()[path.stem] = path
    if sys.argv[1:3] == ["gateway", "run"]:
        from gateway import service

        service.run = _watched(service.run, folder)  # type: ignore[assignment]
    from pole import command

    command.main()


if __name__ == "__main__":
    main()
