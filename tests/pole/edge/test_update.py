"""`pole edge update` with real controllers: guard, agent, MQTT and mosquitto; only the hardware is made up."""

import asyncio
import contextlib
import os
import signal

import pytest

from tests.edge.conftest import Interpreter
from tests.edge.controller import Signed
from tests.pole.edge import fleet as fleets

COUNT = int(os.environ.get("FLEET", "4"))  # of controllers in the area that gets the good release, too
BAD = {  # area -> what is changed in the agent; every other one tries it at its canary alone
    "raises": ("edge/main", "import asyncio", "raise RuntimeError('a bad release')\nimport asyncio"),
    "hangs": ("edge/main", "    gc.threshold", "    while True:\n        pass\n    gc.threshold"),
    "deaf": (
        "edge/session",
        "await self._link.connect(",
        "raise OSError(5)\n                    await self._link.connect(",
    ),
}
NODES = {area: [f"{area}-{number}" for number in range(1, (COUNT if area == "raises" else 2) + 1)] for area in BAD}
USERS = (*(node for area in BAD for node in NODES[area]), "ingest", "operator")
QUICK = ("--watch", "1s", "--patience", "40s", "--canary", "1", "--wave", "100%")


def interpreters(tmp_path, count):
    """Every other one has 4-byte words and the heap that an ESP32 has; code in a slot lies in it."""
    found = [Interpreter(("micropython32", "micropython")[number % 2], tmp_path) for number in range(count)]
    for each in found:
        each.command[-1] = "heapsize=100K" if each.name == "micropython32" else "heapsize=256K"
    return found


@pytest.mark.parametrize("broker", [USERS], indirect=True)
def test_a_bad_release_ends_at_its_canary_and_a_good_one_gets_everywhere(broker, tmp_path):
    signer = Signed(tmp_path / "signed")
    now = fleets.agent()
    bad = {
        area: fleets.build(signer, tmp_path / f"{area}.release", fleets.agent([BAD[area]]), "0.2.0", 1) for area in BAD
    }
    good = fleets.build(signer, tmp_path / "good.release", now, "0.2.1", 20)
    areas = {
        area: fleets.Fleet(tmp_path, broker, signer, interpreters(tmp_path, len(NODES[area])), area=area)
        for area in BAD
    }
    for fleet in areas.values():
        fleet.flash(now)
    rollout = fleets.Rollout(broker, tmp_path)

    async def try_bad(store):
        ends = await asyncio.gather(*(rollout.run(area, bad[area], *QUICK) for area in BAD))
        for area, (code, said) in zip(BAD, ends, strict=True):
            assert (code, said["state"], said["updated"]) == (1, "stopped", [])
            (canary,) = said["failed"]
            assert "came back to 0.1.0" in said["failed"][canary]
            assert sorted(said["not_begun"]) == sorted(set(NODES[area]) - {canary})
            assert areas[area].version(canary) == ("0.1.0", ("a", 0, 0, 1))
            assert store.statuses[canary]["release"] == {"board": "simulated", "state": "returned"}
            assert store.statuses[canary]["release_refused"] == {"version": "0.2.0", "reason": "failed"}
            assert not any((tmp_path / node / "b").exists() for node in said["not_begun"])  # nobody else was bothered

    async def try_good(store):
        """Interrupted once, and while power goes here and there."""
        nodes, fleet = NODES["raises"], areas["raises"]
        process = await rollout.start("raises", good, *QUICK)
        await store.until(lambda told: any(told[node]["version"] == "0.2.1" for node in nodes))
        process.send_signal(signal.SIGINT)
        code, said = await rollout.end(process)
        assert (code, said["state"]) == (130, "interrupted")
        cuts = asyncio.create_task(fleet.cut_power(0.7))
        code, said = 3, {}
        while code == 3:  # somebody was away just then
            code, said = await rollout.run("raises", good, *QUICK)
        await cuts
        assert (code, said["failed"]) == (0, {})
        assert sorted(said["updated"] + said["had_it"]) == sorted(nodes)

    async def play():
        async with contextlib.AsyncExitStack() as running:
            store = await running.enter_async_context(fleets.Store(broker))
            for fleet in areas.values():
                await running.enter_async_context(fleet)
            await store.until(
                lambda told: all(told.get(node, {}).get("stored") for area in BAD for node in NODES[area])
            )
            await try_bad(store)
            await try_good(store)

    asyncio.run(play())
    for node in NODES["raises"]:
        assert areas["raises"].version(node)[0] == "0.2.1"
        assert "MemoryError" not in areas["raises"].log(node)
