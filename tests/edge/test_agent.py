"""The whole agent: real broker, real ingest, real store, and everything that ends at once somewhere."""

import asyncio
import json

import pytest

from bench.edge_pole import NODE, POLE
from tests.edge.agent_city import play
from wire import messages

pytestmark = pytest.mark.parametrize("broker", [(NODE, "ingest", "operator")], indirect=True)


def test_a_poles_readings_events_and_commands(tmp_path, broker, interpreter):
    async def scenario(city):
        city.ingest.start()
        city.switch_on()
        await city.until(lambda: "status" in city.heard and city.heard["status"]["online"], "the status")
        messages.check(city.heard["status"], messages.STATUS)
        messages.check(city.heard["birth"], messages.BIRTH)
        known = {(each["pole"], each["device"]) for each in city.heard["birth"]["devices"]}
        assert known == {(POLE, name) for name in (*city.pole.devices, "lamp-1", NODE)}
        await city.until(lambda: city.packs() >= 3, "three packs in the database")

        city.pole.devices["cover-1"].hold("cover_open", True)
        await city.until(
            lambda: city.rows("SELECT 1 FROM readings WHERE device = 'cover-1' AND value = 1"), "the open cover"
        )
        # ingest may hear it earlier than we do
        await city.until(lambda: city.heard.get("event", [{}])[0].get("n") == "cover_open", "the event")

        await city.command("c-1", "lamp-1", "set_level", level=40)
        assert (await city.done("c-1"))["read_back"] == {"level": 40}
        assert [each["state"] for each in city.replies["c-1"]] == ["accepted", "done"]
        pins = city.pole.root / "pins"
        assert ((pins / "dim").read_text(), (pins / "relay").read_text()) == ("400", "1")
        await city.command("c-1", "lamp-1", "off")
        await city.until(lambda: len(city.replies["c-1"]) == 3, "the answer to the repeated command")
        assert (city.replies["c-1"][2]["state"], (pins / "dim").read_text()) == ("done", "400")
        for name, device, action, args, state in (
            ("c-2", "lamp-1", "set_level", {"level": 101}, "rejected"),
            ("c-3", "lamp-1", "explode", {}, "rejected"),
            ("c-4", "nobody", "on", {}, "rejected"),
            ("c-5", "lamp-1", "off", {}, "done"),
        ):
            await city.command(name, device, action, **args)
            reply = await city.done(name)
            assert reply["state"] == state, reply
            messages.check(reply, messages.REPLY)
        assert "0.0 to 100.0" in city.replies["c-2"][-1]["reason"] or "0 to 100" in city.replies["c-2"][-1]["reason"]
        assert ((pins / "dim").read_text(), (pins / "relay").read_text()) == ("0", "0")
        # what the broker had before ingest was there to hear it is sent again
        functions = [(each,) for each in ("air", "emergency", "energy", "gateway", "lighting", "manhole", "water")]
        await city.until(
            lambda: city.rows("SELECT DISTINCT function FROM series ORDER BY 1") == functions, "every function"
        )
        city.cut()
        await asyncio.sleep(1)
        await asyncio.to_thread(city.ingest.stop)
        city.assert_nothing_lost()

    play(scenario, tmp_path, broker, interpreter)


def test_what_ended_the_agent_stands_in_its_next_birth(tmp_path, broker, interpreter):
    async def scenario(city):
        plan = city.pole.root / "plan.bin"
        whole = plan.read_bytes()
        plan.write_bytes(whole[:1] + b"\0")
        city.switch_on()
        await city.until(lambda: city.agent.poll() is not None, "the end of an agent without its plan", 30)
        plan.write_bytes(whole)
        city.switch_on()
        await city.until(lambda: city.births, "the birth")
        assert "plan.bin" in city.births[0]["crash"]
        assert city.births[0]["reset"] in ("software", "power")
        # it forgets it when the broker has the birth, which we may have heard before
        await city.until(lambda: not (city.pole.root / "crash").exists(), "the end of what was told")
        city.cut()
        city.births.clear()
        city.switch_on()
        await city.until(lambda: city.births and "crash" not in city.births[-1], "a birth without it")

    play(scenario, tmp_path, broker, interpreter)


def test_what_was_read_before_the_time_was_known_gets_its_time(tmp_path, broker, interpreter):
    async def scenario(city):
        config = city.pole.root / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"clock": "unset"}))
        city.ingest.start()
        city.switch_on()
        await city.until(lambda: city.heard.get("status", {}).get("online"), "the status")
        assert city.heard["status"]["clock"] == "unset"
        journal = city.pole.root / "journal"
        await city.until(lambda: any(each.stat().st_size for each in journal.glob("[et]*")), "a pack in the journal")
        await asyncio.sleep(1)
        assert city.packs() == 0
        await city.command("c-1", "lamp-1", "off")
        assert "time" in (await city.done("c-1"))["reason"]
        assert (city.pole.root / "pins" / "relay").read_text() == "1"  # it fails lit
        config.write_text(json.dumps(json.loads(config.read_text()) | {"clock": "machine"}))
        city.cut()
        city.switch_on()
        estimated = "SELECT 1 FROM quality WHERE code = 'clock'"  # told before what the first boot read
        await city.until(lambda: city.packs() >= 3 and city.rows(estimated), "packs with their times")
        city.cut()
        await asyncio.sleep(1)
        await asyncio.to_thread(city.ingest.stop)
        (oldest,) = city.rows("SELECT min(time) FROM points")[0]
        assert oldest > 1_735_689_600_000

    play(scenario, tmp_path, broker, interpreter)
