"""`pole ingest run` whose workers die (SIGKILL, as of a crash in a C library) when they look at a pack with `MARK`.

We know no pack that ends a worker. So one is made up, and all that follows from it is real: the others go on, the
pack is found, and it is set aside.
"""

import os
import signal
import sys
from typing import Any

from ingest import suspects, workers

MARK = b'"v":-88888'
_usual = suspects.Suspects.refused


def _refused(self: suspects.Suspects, area: str, node: str, topic: str, body: bytes) -> Any:
    told = _usual(self, area, node, topic, body)
    if told is None and MARK in body:
        os.kill(os.getpid(), signal.SIGKILL)
    return told


class _Workers(workers.Workers):
    # Who watches starts its workers by this module, too.
    def __init__(self, *, command: workers.Command, **more: Any) -> None:
        def mortal(number: int, http: str, careful: bool) -> list[str]:
            python, _, _, *rest = command(number, http, careful)
            return [python, "-m", "bench.ingest_chaos_mortal", *rest]

        super().__init__(command=mortal, **more)


if __name__ == "__main__":
    from pole.command import main

    suspects.Suspects.refused = _refused  # type: ignore[method-assign]
    workers.Workers = _Workers  # type: ignore[misc]
    sys.argv[0] = "pole"
    main()
