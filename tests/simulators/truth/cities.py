"""A small made-up city for tests of the truth: two kits, a few poles, values from a seeded generator."""

import numpy as np

COLUMNS = (
    {"device": "lamp-1", "function": "lighting", "point": "level", "kind": "number", "decimals": 0},
    {"device": "lamp-1", "function": "lighting", "point": "on", "kind": "bool", "decimals": 0},
    {"device": "air-1", "function": "air", "point": "temperature", "kind": "number", "decimals": 1},
)
HEADER = {
    "seed": 7,
    "scenario": "quiet-day",
    "poles": 7,
    "tables": [
        {"kit": "lane", "columns": list(COLUMNS[:2]), "poles": [0, 2, 3, 5]},
        {"kit": "street", "columns": list(COLUMNS), "poles": [1, 4, 6]},
    ],
}


def steps(count, *, seed=1, most=40):
    """[(step, [(table, rows, offset_ms, raw, quality), …]), …]"""
    chance = np.random.default_rng(seed)
    out = []
    for step in range(count):
        tables = []
        for number, table in enumerate(HEADER["tables"]):
            rows = np.arange(step % 2, len(table["poles"]), 2)
            shape = (len(rows), len(table["columns"]))
            raw = chance.integers(-most, most, shape)
            quality = (chance.random(shape) < 0.1).astype(np.uint8) * 2
            tables.append((number, rows, chance.integers(0, 900, len(rows)), raw, quality))
        out.append((step, tables))
    return out
