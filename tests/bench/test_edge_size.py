"""The size of the agent: flash for each board, and the heap of a whole agent on the real interpreter."""

import asyncio
import json
import subprocess
import sys

import pytest

from bench import edge_size
from pole.edge import bundle
from tests.conftest import TOOLS
from tests.parts.servers import missing


@pytest.mark.parametrize("board", ["esp32", "rp2"])
def test_the_bundle_keeps_what_is_promised(board):
    result = edge_size.run(board=board, heap=False, told=lambda line: None)
    assert result["bundle_bytes"] == sum(result["modules"].values())
    assert {f"{name}.mpy" for name, _ in bundle.modules(board)} == result["modules"].keys()
    assert [row["kept"] for row in result["verdicts"]] == [True]
    assert (result["heap"], result["why"]) == (None, "--no-heap")


def test_an_idle_agent_run_in_place_keeps_what_is_promised(tmp_path, monkeypatch):
    if not edge_size.INTERPRETER.exists():
        missing(f"{TOOLS / 'micropython32'} is not there; `make test` fetches it")
    monkeypatch.setattr(edge_size, "SECONDS", 6.0)
    held = asyncio.run(edge_size._measure(tmp_path, edge_size.HEAPS["in place"], "idle", rom=True))
    assert 20_000 < held < edge_size.HEAP_BYTES


def pole(*words):
    return subprocess.run([sys.executable, "-m", "pole", *words], capture_output=True, text=True, timeout=60)


def test_the_verb_tells_the_modules():
    run = pole("edge", "size", "--board", "rp2", "--no-heap", "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["modules"]["edge/boards/rp2.mpy"] > 500
    wrong = pole("edge", "size", "--board", "rp3")
    assert (wrong.returncode, "esp32, rp2" in wrong.stderr) == (2, True)


def test_a_rom_image_holds_the_slot(tmp_path):
    run = pole("edge", "rom", "--board", "rp2", "--out", str(tmp_path / "slot.romfs"), "--json")
    assert run.returncode == 0, run.stderr
    image = (tmp_path / "slot.romfs").read_bytes()
    assert json.loads(run.stdout)["bytes"] == len(image)
    assert image[:3] == b"\xd2\xcd\x31"  # what a ROMFS begins with
    assert b"version" in image
    assert b"agent.mpy" in image
