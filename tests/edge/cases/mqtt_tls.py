"""Who is trusted, and what is said of who is not; and what goes through TLS is what was sent."""

import asyncio
import json

import mqtt_rig as rig

from edge import mqtt


async def test_who_is_trusted(args):
    for name, utc_ms, uplink, folder, why in lines(args, "trust"):
        it = rig.client(args, tls=True, folder=folder, utc_ms=utc_ms, **uplink)
        if why is None:
            await it.connect(b"will")
            await rig.say(it, name.encode())
            await it.close()
        else:
            said = await rig.refused(it.connect(b"will"))
            assert str(said).startswith(tuple(why)), "%s: %s" % (name, said)
            assert it.why == said


async def test_what_goes_through(args):
    got = []
    ((uplink, folder),) = lines(args, "sound")
    it = rig.client(args, lambda channel, payload: got.append(bytes(payload)), folder=folder, tls=True, **uplink)
    await it.connect(b"will")
    piece = bytes(range(250))
    for count in (1, 4, 100, 800):
        await it.publish("telemetry", count * 250, (piece for _ in range(count)))
    for ask in (["release", 1024, 1, 1], ["config", 200000, 1, 1], ["command", "last", 1, 40]):
        await rig.say(it, json.dumps(ask).encode(), "reply")
    await rig.until(lambda: len(got) == 41, it, got)
    assert got == [b"x" * 1024] + [b"last"] * 40
    assert it.passed == 1
    await it.close()


async def test_networks(args):
    kept, mqtt.TICK_S = mqtt.TICK_S, 1  # silence is felt after three of them
    try:
        for name, port, after, whys, folder in lines(args, "networks"):
            it = rig.client(args, tls=True, folder=folder, port=port)
            said = await rig.refused(rig.blocks(it) if "taken" in name else through(it))
            assert str(said).startswith(tuple(whys)), "%s: %s" % (name, said)
            await it.connect(b"will")
            await rig.say(it, after.encode())
            await it.close()
    finally:
        mqtt.TICK_S = kept


async def through(it):
    await it.connect(b"will")
    while True:
        await rig.say(it, bytes(100), "telemetry")
        await asyncio.sleep(0)


def lines(args, name):
    """One at a time: a controller has no room for all."""
    with open("%s/%s.jsonl" % (args["files"], name)) as file:
        for line in file:
            yield json.loads(line)
