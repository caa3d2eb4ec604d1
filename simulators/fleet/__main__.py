"""`python -m simulators.fleet ORDER.json`: the nodes of a city, until the time is over or SIGTERM comes."""

import json
import signal
import sqlite3
import ssl
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import structlog

from device_profiles import loader
from simulators import scenario
from simulators.fleet import order as orders
from simulators.fleet.account import account
from simulators.fleet.connections import Connections
from simulators.fleet.engine import Engine
from simulators.fleet.loop import Loop
from simulators.fleet.order import Order
from simulators.fleet.payloads import Payloads
from simulators.fleet.production import Production
from simulators.fleet.report import Report, memory
from simulators.fleet.spool import Spool
from simulators.sensing.sensors import Sensors
from simulators.truth.recorder import Recorder
from simulators.world.arrays import IntArray
from simulators.world.city_map import CityMap, city_map
from simulators.world.happenings import Happening
from simulators.world.world import STEP_S, World

KEEP_ALIVE_S = 60  # at least; a node is silent for less than a quarter of it


class _Truth:
    """The recorder, and the report's ear."""

    def __init__(self, recorder: Recorder, report: Report) -> None:
        self.step = recorder.step
        self._recorder = recorder
        self._report = report
        self.engine: Engine | None = None

    def happening(self, told: Happening) -> None:
        self._recorder.happening(told)
        if self.engine is not None:
            self._report.happening(told, self.engine)


def run(order: Order) -> int:
    """0 when all went well; 1 when the disk took no more."""
    base = memory()
    report = Report(base=base)
    causes = scenario.load(order.scenario).causes
    city = city_map(seed=order.seed, poles=order.poles)
    world = World(seed=order.seed, city=city, causes=causes, start=order.start)
    nodes = np.arange(order.poles) >= order.agents + order.wires
    every = np.where(nodes, max(1, order.every_s // STEP_S), 1).astype(np.int64)
    profiles = loader.profiles()
    sensors = Sensors(seed=order.seed, city=city, profiles=profiles, causes=causes, every=every)
    recorder = Recorder(folder=order.folder / "truth", header=header(order, city, sensors, every))
    truth = _Truth(recorder, report)
    spool = Spool(path=order.folder / "nodes.db")
    engine = Engine(
        world=world, city=city, payloads=[Payloads(table.columns) for table in sensors.tables], profiles=profiles,
        production=Production(world=world, city=city, sensors=sensors, every=every, nodes=nodes, truth=truth),
        truth=recorder, spool=spool, nodes=nodes, began_ms=order.began_ms, speed=order.speed,
        connect=lambda made, loop: _connections(order, made, loop),
        show=lambda shown: print(report.state(shown), flush=True),
    )  # fmt: skip
    truth.engine = engine
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(engine, "stopped", True))
    try:
        engine.run(None if order.for_s is None else order.for_s // STEP_S)
        recorder.close()
        engine.drain()
    except sqlite3.Error as error:
        text = f"the spool takes no more packs ({error}). Make room, then start again: nothing of it is lost."
        print(f"{order.folder}: {text}", file=sys.stderr)
        return 1
    (order.folder / "account.json").write_text(json.dumps(account(engine.nodes, spool, world)), encoding="utf-8")
    spool.close()
    print(report.end(engine, recorder.sha256), flush=True)
    return 0


def header(order: Order, city: CityMap, sensors: Sensors, every: IntArray) -> dict[str, object]:
    """What the truth says of itself."""
    return {
        "seed": order.seed, "scenario": Path(order.scenario).stem, "poles": order.poles,
        "start": order.start.isoformat(), "every": order.every_s,
        "depths": {"agent": order.agents, "wire": order.wires},
        "tables": [
            {
                "kit": table.kit, "poles": table.poles.tolist(),
                "columns": [asdict(column) for column in table.columns],
            }
            for table in sensors.tables
        ],
    }  # fmt: skip


def _connections(order: Order, engine: Engine, loop: Loop) -> Connections:
    with order.passwords.open(encoding="utf-8") as lines:
        passwords = dict(line.rstrip("\n").split(":", 1) for line in lines if ":" in line)
    return Connections(
        loop=loop, address=(order.host, order.port), passwords=passwords, sources=order.sources,
        tls=ssl.create_default_context(cafile=order.ca) if order.ca else None,
        keep_alive_s=max(KEEP_ALIVE_S, 4 * order.every_s), will=engine.will, seed=order.seed,
    )  # fmt: skip


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    sys.exit(run(orders.load(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
