"""Frames by name: each field of the shared vectors, and nothing that is damaged."""

from pathlib import Path

import pytest

from gateway.controllers.frame import Frame, decode, encode
from tests.wire.conformance import vectors

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def named(kind):
    return [pytest.param(vector, id=vector["name"]) for vector in vectors(VECTORS / f"frames-{kind}.json")]


def frame_of(vector):
    return Frame(
        address=vector["address"], flags=vector["flags"], session=bytes.fromhex(vector["session"]),
        number=vector["number"], came=vector["came"], time_ms=vector["time_ms"], part=bytes.fromhex(vector["part"]),
    )  # fmt: skip


@pytest.mark.parametrize("vector", named("good"))
def test_fields(vector):
    line = bytes.fromhex(vector["line"])
    assert decode(line[1:-1]) == frame_of(vector)
    assert encode(frame_of(vector)) == line


@pytest.mark.parametrize("vector", named("bad"))
def test_damaged(vector):
    assert decode(bytes.fromhex(vector["line"])[1:-1]) is None
