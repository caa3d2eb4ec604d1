"""A controller without a network: its self-test goes through a real gateway on the serial line, under its own name."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from simulators.shared_line import SharedLine
from tests.gateway.controllers.city import City
from tests.gateway.controllers.gateway_process import Gateway
from tests.parts.boards import Board


@pytest.mark.parametrize("broker", [("gw-1", "ctl-1", "ingest")], indirect=True)
def test_the_gateway_carries_the_self_test(broker, tmp_path):
    async def play():
        city = City(broker)
        async with SharedLine(folder=tmp_path, ends=["gateway", "one"]) as line, city.listening():
            gateway = Gateway(tmp_path, broker, line, {"ctl-1": (1, "one")})
            name_for_a_board(gateway, line.path("one"))
            gateway.start()
            try:
                with Board(folder=tmp_path) as board:
                    words = ["flash", "--port", board.port, "--board", "simulated", "--pole", "P1", "--json"]
                    folders = ["--site", str(gateway.site), "--sheets", str(tmp_path)]
                    return await asyncio.to_thread(flashed, [*words, *folders]), city.of("ctl-1", "reply")
            finally:
                gateway.kill()

    (code, sheet, shown), replies = asyncio.run(play())
    assert code == 0, shown
    checks = {check["name"]: check for check in sheet["checks"]}
    assert checks["network"]["state"] == "skipped"
    assert (checks["broker"]["what"], checks["broker"]["state"]) == ("address 1", "ok")
    assert [json.loads(reply)["id"] for reply in replies] == ["self-test"]
    files = next(step["said"] for step in sheet["steps"] if step["name"] == "files")
    assert broker.passwords["ctl-1"] not in files + shown


def name_for_a_board(gateway, end):
    gateway.content["controllers"]["ctl-1"]["uarts"]["up"]["port"] = os.path.realpath(end)
    gateway.write(gateway.content)


def flashed(words):
    run = subprocess.run([sys.executable, "-m", "pole", *words], capture_output=True, text=True, timeout=120)
    return run.returncode, json.loads(run.stdout), run.stderr
