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
    used = [0] * args["noise"]  # a list that grows would be counted, too
    for number in range(len(used)):
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
            used[number] = gc.mem_alloc()
    if rig.MICROPYTHON:  # the collector is conservative: what looks like a pointer may hold a dead object for a while
        assert min(used[-5:]) <= min(used[16:21]) + 200, used


async def test_packet_numbers_wrap_and_are_never_0(args):
    it = rig.client(args)
    it._number = 65532
    await it.connect(b"will")
    for _ in range(5):
        await rig.say(it, b"numbered")
    await it.close()
