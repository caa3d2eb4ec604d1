"""Whatever a broker sends: the session ends with an OSError, or goes on; and it costs no memory."""

import asyncio
import gc
import json

import mqtt_rig as rig

from edge import mqtt


async def test_scripts(args):
    mqtt.TICK_S = 1
    for name, whys, messages, passed in lines(args["file"]):
        got = []
        it = rig.client(args, taken(got))
        why = await ended(it)
        assert why in whys, "%s: %s" % (name, why)
        assert it.why == (why or "closed"), name
        assert [len(each) for each in got] == messages, "%s: %s" % (name, got)
        assert it.passed == passed, "%s: %d" % (name, it.passed)


def lines(path):
    with open(path) as file:
        for line in file:
            yield json.loads(line)


def taken(got):
    return lambda channel, payload: got.append(bytes(payload))


async def ended(it):
    """By what; None when the session went on, and was closed."""
    try:
        await it.connect(b"will")
        for _ in range(3):
            await rig.say(it, b"goes on")
    except OSError as error:
        return error.args[0]
    return await it.close()


async def test_noise_costs_no_memory(args):
    most = 0
    for number in range(args["noise"]):
        it = rig.client(args)
        try:
            await it.connect(b"will")
            while True:
                await rig.say(it, b"goes on")
                await asyncio.sleep(0.01)
        except OSError:
            pass
        if rig.MICROPYTHON:
            it = None
            gc.collect()
            if number == 20:
                most = gc.mem_alloc()
    if rig.MICROPYTHON:
        assert gc.mem_alloc() <= most + 200, "%d, %d" % (gc.mem_alloc(), most)


async def test_packet_numbers_wrap_and_are_never_0(args):
    it = rig.client(args)
    it._number = 65532
    await it.connect(b"will")
    for _ in range(5):
        await rig.say(it, b"numbered")
    await it.close()
