"""Each network breaks the first connection in its own way: it ends soon, with a reason, and the next one works."""

import asyncio

import mqtt_rig as rig

from edge import mqtt

MOST_S = 20  # a tick is a second here, and a reason takes three


async def connects(it):
    await it.connect(b"will")
    raise AssertionError("it connected")


async def publishes(it):
    await it.connect(b"will")
    for _ in range(100):
        await rig.say(it, b"through")
    raise AssertionError("it published")


async def floods(it):
    await it.connect(b"will")
    piece = bytes(200)
    await it.publish("telemetry", 290_000, (piece for _ in range(1450)))  # the broker takes 300,000


async def idles(it):
    await it.connect(b"will")
    while it.why is None:
        await asyncio.sleep(0.1)
    raise OSError(it.why)


async def works(it):
    await it.connect(b"will")
    await rig.say(it, b"slow but whole" * 5)
    await it.close()
    raise OSError(it.why)


DOES = {
    "connects": connects, "publishes": publishes, "floods": floods, "blocks": rig.blocks,
    "idles": idles, "works": works,
}  # fmt: skip


async def one(args, name, does, port, whys, node):
    it = rig.client(args, node=node, user=node, folder=args["folders"] + "/" + node, port=port)
    began = rig.seconds()
    why = await rig.refused(DOES[does](it))
    assert rig.seconds() - began <= MOST_S, name
    assert why in whys, "%s: %s" % (name, why)
    assert it.why == why, "%s: %s" % (name, it.why)
    if does == "connects" and port == args["sealed"]:
        return
    await it.connect(b"will")
    await rig.say(it, b"after " + name.encode())
    await it.close()
    print("after", name)


async def quiet(args):
    """Idle for longer than the broker would wait without a ping, which it looks at every 5 s."""
    node, port = args["quiet"]
    it = rig.client(args, node=node, folder=args["folders"] + "/" + node, port=port)
    mqtt.TICK_S = 2  # of which the broker is told the double, and waits for 6 s
    await it.connect(b"will")
    mqtt.TICK_S = 1
    await asyncio.sleep(12)
    await rig.say(it, b"still here")
    await it.close()


async def broken(args):
    for group in args["groups"]:
        await asyncio.gather(*[one(args, *network) for network in group])


async def test_networks(args):
    mqtt.TICK_S = 1
    await asyncio.gather(quiet(args), broken(args))
