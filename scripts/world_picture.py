"""Draw docs/world.svg: a storm crosses a city of 2,000 poles, and what one pole of it feels.

.venv/bin/python scripts/world_picture.py
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from simulators import scenario
from simulators.world.arrays import FloatArray, IntArray
from simulators.world.city_map import city_map
from simulators.world.world import STEP_S, World

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "world.svg"
POLES = 2000
SHADES = 7  # of the rain
SHOWN_S = (120, 300, 660)  # of the scenario, for the three maps
MAP_PX, GAP_PX, LEFT_PX, TOP_PX = 286, 22, 30, 44
COURSES = (  # quantity, what is written, colour
    ("rain_rate", "rain, mm/h", "#2563eb"), ("wind_gust", "gust, m/s", "#0d9488"),
    ("temperature", "air, °C", "#dc2626"), ("water_level", "water in the drain, m", "#1e3a8a"),
    ("voltage", "mains, V", "#9333ea"),
)  # fmt: skip
COURSE_PX, COURSE_GAP_PX = 58, 8
WIDTH = LEFT_PX * 2 + 3 * MAP_PX + 2 * GAP_PX


def main() -> None:
    story = scenario.load("storm")
    city = city_map(seed=story.seed, poles=POLES)
    world = World(seed=story.seed, city=city, causes=story.causes, start=story.start)
    every = np.arange(POLES)
    wettest = int(np.argmax(city.hollow * (city.feeder == city.feeder[_near(city.x, city.y, city.width_m)])))
    maps: list[str] = []
    felt: dict[str, list[float]] = {name: [] for name, _, _ in COURSES}
    for _ in range(story.length_s // STEP_S):
        step = world.advance()
        for name, values in felt.items():
            values.append(float(world.quantity(name, np.array([wettest]))[0]))
        if step * STEP_S in SHOWN_S:
            left = LEFT_PX + len(maps) * (MAP_PX + GAP_PX)
            scale = MAP_PX / city.width_m
            dots = _dots(city.x * scale + left, (city.height_m - city.y) * scale + TOP_PX, world, every)
            maps.append(_text(left, TOP_PX - 12, f"{world.local():%H:%M}") + "".join(dots))
            ring = (city.x[wettest] * scale + left, (city.height_m - city.y[wettest]) * scale + TOP_PX)
            maps[-1] += (
                f'<circle cx="{ring[0]:.1f}" cy="{ring[1]:.1f}" r="7" fill="none" stroke="#dc2626" stroke-width="2"/>'
            )
    top = TOP_PX + MAP_PX * city.height_m / city.width_m + 72
    maps.append(_text(LEFT_PX, top - 44, "grey to blue: rain · violet: water stands on the road · black: no power"))
    PICTURE.write_text(_svg("".join(maps), "".join(_courses(felt, top, city.names[wettest])), top), encoding="utf-8")


def _near(x: FloatArray, y: FloatArray, width: float) -> int:
    """A pole of the feeder that the lightning kills."""
    return int(np.argmin(np.hypot(x - 0.3 * width, y - 0.65 * width / 1.25)))


def _dots(x: FloatArray, y: FloatArray, world: World, every: IntArray) -> Iterator[str]:
    """A stroke without length is a dot: one path for all poles of a colour."""
    rain, flooded = world.quantity("rain_rate", every), world.quantity("flooded", every)
    shade = np.minimum(rain / 70.0 * SHADES, SHADES).astype(np.int64)
    shade = np.where(world.powered, np.where(flooded > 0, SHADES + 1, shade), SHADES + 2)
    for number in range(SHADES + 3):
        share = number / SHADES
        blue = f"rgb({203 - 166 * share:.0f},{213 - 114 * share:.0f},{225 + 10 * share:.0f})"
        colour, size = {SHADES + 1: ("#7c3aed", 5.2), SHADES + 2: ("#111827", 4.0)}.get(number, (blue, 3.4))
        places = "".join(f"M{x[pole]:.1f} {y[pole]:.1f}h0" for pole in np.flatnonzero(shade == number).tolist())
        if places:
            yield f'<path d="{places}" stroke="{colour}" stroke-width="{size}" stroke-linecap="round"/>'


def _courses(felt: dict[str, list[float]], top: float, pole: str) -> Iterator[str]:
    yield _text(LEFT_PX, top - 10, f"{pole} (ringed) from 17:00 to 19:00")
    width = WIDTH - 2 * LEFT_PX - 170
    for number, (name, words, colour) in enumerate(COURSES):
        values = np.array(felt[name])
        low, high = values.min(), values.max()
        base = top + number * (COURSE_PX + COURSE_GAP_PX) + COURSE_PX
        x = LEFT_PX + np.linspace(0, width, len(values))
        y = base - (values - low) / (high - low) * (COURSE_PX - 6)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        yield f'<line x1="{LEFT_PX}" y1="{base:.1f}" x2="{LEFT_PX + width}" y2="{base:.1f}" stroke="#e5e7eb"/>'
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        yield _text(LEFT_PX + width + 10, base - COURSE_PX / 2, words, colour)
        yield _text(LEFT_PX + width + 10, base - COURSE_PX / 2 + 16, f"{low:.3g} to {high:.3g}", "#6b7280")


def _text(x: float, y: float, words: str, colour: str = "#111827") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{words}</text>'


def _svg(maps: str, courses: str, top: float) -> str:
    height = top + len(COURSES) * (COURSE_PX + COURSE_GAP_PX) + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        'font-family="system-ui, sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{maps}{courses}</svg>\n'
    )


if __name__ == "__main__":
    main()
