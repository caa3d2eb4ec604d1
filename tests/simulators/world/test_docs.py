"""The page about the world says what the code does."""

import re
from pathlib import Path

from simulators.world.city_map import city_map
from simulators.world.kits import KITS
from simulators.world.world import _ACTS, QUANTITIES

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "world.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_runs(capsys) -> None:  # type: ignore[no-untyped-def]
    exec(re.search(r"```python\n(.*?)```", PAGE, re.S)[1], {})
    said = capsys.readouterr().out
    assert re.search(r"\n2026-07-15 17:0\d:\d0 .+ \d+\n", said)
    assert float(said.splitlines()[-1].split()[0]) > 30


def test_the_page_names_every_module_and_every_act() -> None:
    modules = {path.name for path in (ROOT / "simulators" / "world").glob("*.py")}
    plain = {"__init__.py", "arrays.py", "noise.py", "present.py", "effects.py", "zones.py", "city_map.py", "kits.py"}
    assert modules - plain - {"world.py"} <= set(re.findall(r"`(\w+\.py)`", PAGE))
    for act in _ACTS:
        assert f"`{act}`" in PAGE


def test_the_number_of_quantities_and_the_sizes_of_cities_are_true() -> None:
    assert f"all {len(QUANTITIES)} quantities" in PAGE
    large = city_map(seed=1, poles=50_000)
    assert (round(large.width_m / 1000), round(large.height_m / 1000)) == (17, 13)
    assert round(city_map(seed=1, poles=200).width_m, -2) == 1000


def test_a_pole_gives_ten_to_sixteen_readings() -> None:
    """What a fleet's budget is made for; texts and what nothing moves left out."""
    from device_profiles import loader

    profiles, city = loader.profiles(), city_map(seed=1, poles=2000)
    vocabulary = {
        index: sum(
            point.kind != "text" and not point.own
            for _, name in kit.devices
            for point in profiles[name].points.values()
        )
        for index, kit in enumerate(KITS)
    }
    assert 10 < sum(vocabulary[kit] for kit in city.kit.tolist()) / city.poles < 16
