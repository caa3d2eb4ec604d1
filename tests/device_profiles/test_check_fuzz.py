"""Damaged profiles and exchanges: whatever stands in a file, the check says lines and never raises.

MUTATIONS=100000 runs longer than the suite has time for.
"""

import os
import random
import re
from pathlib import Path

from device_profiles import loader
from device_profiles.review import review
from simulators import round_trip

MUTATIONS = int(os.environ.get("MUTATIONS", "1500"))
PIECES = (
    b"\n",
    b"\t",
    b" ",
    b":",
    b"- ",
    b"[",
    b"}",
    b'"',
    b"'",
    b"#",
    b"&a",
    b"*a",
    b"!",
    b"|",
    b"\xff",
    b"\x00",
    b"%",
)
NUMBERS = (b"0", b"-1", b"1e308", b"1e-320", b"99999999999999999999", b".nan", b".inf", b"0.5", b"1/3")


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Content with one to three places damaged, as hands, editors and disks do."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(content))
        lines = content.split(b"\n")
        match chance.randrange(5):
            case 0:
                content = content[:at] + content[at + chance.randint(1, 8) :]
            case 1:
                content = content[:at] + chance.choice(PIECES) + content[at:]
            case 2:
                begin = chance.randrange(len(content))
                content = content[:at] + content[begin : begin + chance.randint(1, 60)] + content[at:]
            case 3:
                first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
                lines[first], lines[second] = lines[second], lines[first]
                content = b"\n".join(lines)
            case 4:
                number = chance.choice(list(re.finditer(rb"\d+(\.\d+)?", content)) or [None])
                if number is not None:
                    content = content[: number.start()] + chance.choice(NUMBERS) + content[number.end() :]
        content = content or b"\n"
    return content


def test_no_damage_is_more_than_lines(tmp_path: Path) -> None:
    chance = random.Random(20261121)
    refused = 0
    files = sorted(loader.files().items())
    for _ in range(MUTATIONS):
        name, file = chance.choice(files)
        path, beside = tmp_path / f"{name}.yaml", tmp_path / f"{name}.golden.yaml"
        profile = file.read_bytes()
        source = file.with_name(beside.name)
        exchange = source.read_bytes() if source.exists() else b"\n"
        in_profile = chance.random() < 0.6
        path.write_bytes(damaged(profile, chance) if in_profile else profile)
        beside.write_bytes(exchange if in_profile else damaged(exchange, chance))
        problems = review(path, round_trip.faults).problems
        refused += bool(problems)
        for problem in problems:
            assert problem.startswith((str(path), str(beside)))
            assert problem.isprintable()
            assert len(problem) < 900
    assert refused > MUTATIONS / 2
