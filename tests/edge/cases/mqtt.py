"""The client against a real broker. What is asked of it under up/reply, the test's companion publishes under down/."""

import asyncio
import json

import mqtt_rig as rig


async def ask(it, channel, payload, qos=1, times=1):
    """payload: a text, or a number of bytes."""
    await rig.say(it, json.dumps([channel, payload, qos, times]).encode(), "reply")


async def test_what_is_published_arrives_as_it_was(args):
    it = rig.client(args)
    await it.connect(b"will")
    assert it.why is None
    piece = bytearray(256)
    for size in (0, 1, 60, 200, 16300, 70000):

        def pieces(left):
            while left:
                count = min(left, 256)
                for place in range(count):
                    piece[place] = (left - place) & 255
                yield memoryview(piece)[:count]
                left -= count

        await it.publish("telemetry", size, pieces(size))
    await it.publish("birth", 5, (b"bi", b"rth"), True)
    await it.close()
    assert it.why == "closed"
    assert await rig.refused(rig.say(it, b"too late")) == "closed"


async def test_messages_come_in(args):
    got = []
    it = rig.client(args, lambda channel, payload: got.append((channel, bytes(payload))))
    await it.connect(b"will")
    await ask(it, "command", "dim", 1)
    await ask(it, "stored", "these", 0)
    await ask(it, "config", "", 1)
    await ask(it, "release", 1024, 1)
    await rig.until(lambda: len(got) == 4, it, got)
    # two clients of the companion's published them
    assert sorted(got) == [("command", b"dim"), ("config", b""), ("release", b"x" * 1024), ("stored", b"these")]
    await it.close()


async def test_what_is_too_long_is_read_past(args):
    got = []
    it = rig.client(args, lambda channel, payload: got.append(bytes(payload)))
    await it.connect(b"will")
    for size, qos in ((1800, 1), (5000, 0), (250000, 1)):
        await ask(it, "config", size, qos)
    await ask(it, "command", "after")
    await rig.until(lambda: got, it, got)
    assert got == [b"after"]
    assert (it.passed, it.why) == (3, None)
    await it.close()


async def test_a_callback_that_raises_costs_its_message_alone(args):
    got = []

    def received(channel, payload):
        got.append(bytes(payload))
        if len(got) == 1:
            raise KeyError("poison")

    it = rig.client(args, received)
    await it.connect(b"will")
    await ask(it, "command", "poison")
    await ask(it, "command", "good")
    await rig.until(lambda: len(got) == 2, it, got)
    await it.close()
    assert it.passed == 1
    await it.connect(b"will")  # the poison was acknowledged: the broker does not send it again
    await ask(it, "command", "end")
    await rig.until(lambda: len(got) == 3, it, got)
    assert got == [b"poison", b"good", b"end"]
    await it.close()


async def test_the_session_outlives_the_connection(args):
    got = []
    it = rig.client(args, lambda channel, payload: got.append(bytes(payload)))
    other = rig.client(args, node=args["other"], user=args["other"], folder=args["other_folder"])
    await it.connect(b"will")
    await it.close()
    await other.connect(b"will")
    await ask(other, args["node"] + "/command", "while away", 1, 70)
    await rig.say(other, b"after it")
    await it.connect(b"will")
    await rig.until(lambda: len(got) == 70, it, got)
    await it.close()
    await other.close()


async def test_tasks_publish_at_once(args):
    got = []
    it = rig.client(args, lambda channel, payload: got.append(bytes(payload)))
    await it.connect(b"will")

    async def one(name):
        for number in range(10):
            text = b"%s %d" % (name, number)
            await it.publish("event", len(text), (text[:1], text[1:]))

    await asyncio.gather(one(b"a"), one(b"b"), one(b"c"), ask(it, "command", "meanwhile", 1, 5))
    await rig.until(lambda: len(got) == 5, it, got)
    await it.close()


async def test_a_task_that_is_cancelled_leaves_the_session_whole(args):
    it = rig.client(args)
    await it.connect(b"will")
    for _ in range(20):
        task = asyncio.create_task(rig.say(it, b"cancelled"))
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
    await rig.say(it, b"after them")
    assert it.why is None
    await it.close()


async def test_chunks_of_another_size_end_the_session(args):
    it = rig.client(args)
    for size, chunks in ((3, (b"ab",)), (1, (b"ab", b"c"))):
        await it.connect(b"will")
        assert await rig.refused(it.publish("event", size, chunks)) == "size"
        assert it.why == "size"

    def broken():
        yield b"ab"
        raise OSError(5)

    await it.connect(b"will")
    assert await rig.refused(it.publish("event", 3, broken())) == 5
    await it.connect(b"will")
    await rig.say(it, b"well")
    await it.close()


async def test_who_may_not_is_told_so(args):
    assert await rig.refused(rig.client(args, user="nobody").connect(b"will")) == "refused 5"
    assert await rig.refused(rig.client(args, user=None).connect(b"will")) == "refused 5"
    assert await rig.refused(rig.client(args, folder=args["other_folder"]).connect(b"will")) == "refused 5"
    assert await rig.refused(rig.client(args, host="no-such-host.invalid").connect(b"will")) == "name"
    assert await rig.refused(rig.client(args, port=args["closed_port"]).connect(b"will")) == 111  # ECONNREFUSED
    assert await rig.refused(rig.say(rig.client(args), b"never connected")) == "new"


async def test_a_name_is_looked_up(args):
    it = rig.client(args, host="localhost")
    await it.connect(b"will")
    await rig.say(it, b"by name")
    await it.close()


async def test_a_second_client_of_the_name_takes_over(args):
    first, second = rig.client(args), rig.client(args)
    await first.connect(b"will")
    await second.connect(b"will")
    await rig.until(lambda: first.why, first)
    assert first.why == "closed"
    await first.connect(b"will")
    await rig.until(lambda: second.why, second)
    await first.connect(b"will")  # its own session before is replaced
    await rig.say(first, b"back")
    await first.close()
