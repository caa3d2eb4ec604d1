"""Kills parts of the demo at random and starts them again, as power cuts and crashes do."""

import asyncio
import random
from collections.abc import Callable, Sequence

from pole.demo.processes import Part

BETWEEN_S = (0.8, 3.0)  # from a restart to the next kill
DOWN_S = (0.0, 1.5)  # from a kill to the restart: 60 s hold at least 13 kills


async def chaos(parts: Sequence[Part], say: Callable[[str], None], source: random.Random) -> None:
    """Until cancelled; what it killed last may then be down."""
    while True:
        await asyncio.sleep(source.uniform(*BETWEEN_S))
        part = source.choice(parts)
        if not part.running:
            continue
        await part.kill()
        part.kills += 1
        say(f"chaos: killed {part.name} (kill -9)")
        await asyncio.sleep(source.uniform(*DOWN_S))
        await part.start()
