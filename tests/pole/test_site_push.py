"""`pole site push`: a real broker, a real gateway process, and the operator's command line."""

import asyncio
import contextlib
import json
import signal
import sys

from gateway.configuration import short_sha

SITE = """
area: wuhou
gateways:
  gw-1: {{broker: "mqtt://127.0.0.1:{port}", password_file: gw-1.password, pole: P0001}}
poles:
  P0001: {{position: [30.641, 104.043]}}
buses:
  dali: {{host: 127.0.0.1, port: 9}}
devices:
  - {{pole: P0001, device: {device}, profile: arlight-dali, bus: dali, unit: 1, channel: 3}}
"""


async def push(*words):
    """Exit code, the JSON document, what else was said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pole", "site", "push", *map(str, words), "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert "Traceback" not in err.decode()
    return process.returncode, json.loads(out) if out else {}


@contextlib.asynccontextmanager
async def gateway(site):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pole", "gateway", "run", str(site), "--json", stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            while b"broker: connected" not in await process.stderr.readline():
                assert process.returncode is None
        drain = asyncio.create_task(process.stderr.read())
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
    await drain


def test_a_pushed_site_is_in_force_or_refused_and_can_be_taken_back(broker, tmp_path):
    own, office = tmp_path / "gateway", tmp_path / "office"
    own.mkdir()
    office.mkdir()
    (own / "gw-1.password").write_text(broker.passwords["gw-1"])
    (own / "site.yaml").write_text(SITE.format(port=broker.port, device="lamp-1"))
    (office / "operator.password").write_text(broker.passwords["operator"])
    mine = office / "site.yaml"
    good = SITE.format(port=broker.port, device="lamp-2")

    async def play():
        async with gateway(own / "site.yaml"):
            mine.write_text(good)
            code, said = await push(mine, "--node", "gw-1")
            assert (code, said) == (0, {"state": "in force", "sha": short_sha(good.encode()), "source": "broker"})
            mine.write_text(good.replace("gw-1.password", "other.password"))
            for _ in range(2):  # the second time the retained status speaks of the first
                code, said = await push(mine)
                assert (code, said["state"]) == (1, "refused")
                assert "password_file: not as in the gateway's own site file" in said["reason"]
            mine.write_text(good.replace("unit: 1", "unit: 999"))
            code, said = await push(mine)
            assert (code, said["state"]) == (1, "not sent or not answered")
            assert "999" in said["reason"]
            mine.write_text(good)
            code, said = await push(mine, "--withdraw")
            assert (code, said["source"]) == (0, "file")
        code, said = await push(mine, "--wait", "1s")
        assert code == 1
        assert "gw-1 is away; it takes the configuration when it is back" in said["reason"]
        mine.write_text(good.replace("gw-1", "gw-7"))
        code, said = await push(mine, "--wait", "1s")
        assert code == 1
        assert "gw-7 has never spoken on this broker" in said["reason"]

    asyncio.run(play())
