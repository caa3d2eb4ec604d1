"""A controller fetches a release from a server that does everything wrong that a server can do."""

import asyncio
import binascii
import gc
import json
import os
import sys

from update_agent import Agent, outcome

from edge import update
from edge.guard import Guard

update.WAITS_S = (0.05, 0.05, 0.05)
if hasattr(os, "fsync"):
    os.fsync = lambda number: None  # nothing here has to outlive the machine, and a busy disk takes its time


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def controller(args, name, version=b"0.1.0"):
    """A root whose slot a runs, and its guard."""
    root = args["folder"] + "/" + name + "/"
    for folder in (root, root + "a"):
        os.mkdir(folder)
    write(root + "a/version", version)
    write(root + "release.key", read(args["signed"] + "/release.key"))
    return Guard(root)


class Server:
    """Answers fetches of one blob. wrong: function(chunk, number) -> chunks that are sent instead."""

    def __init__(self, args, name, wrong=None):
        self.payload = read(args["signed"] + "/" + name + ".payload")
        self.path = args["signed"] + "/" + name + ".blob"
        self.size = os.stat(self.path)[6]
        self.tag = binascii.unhexlify(read(args["signed"] + "/" + name + ".tag"))
        self.asked = []
        self.wrong = wrong

    def chunk(self, ask):
        words = str(ask, "utf-8").replace("}", ",").split(":")
        offset, length = int(words[3].split(",")[0]), int(words[4].split(",")[0])
        self.asked.append(offset)
        with open(self.path, "rb") as file:
            file.seek(offset)
            data = file.read(length)
        return self.tag + offset.to_bytes(4, "big") + binascii.crc32(data).to_bytes(4, "big") + data

    async def publish(self, channel, size, chunks):
        ask = b"".join(chunks)
        assert (channel, size) == ("fetch", len(ask))
        chunk = self.chunk(ask)
        await asyncio.sleep(0)
        for each in self.wrong(chunk, len(self.asked)) if self.wrong else [chunk]:
            self.agent.chunk(memoryview(each))

    async def serve(self, guard, go_on=lambda: True):
        self.agent = Agent(guard, self.publish)
        return await outcome(self.agent, self.payload, go_on)


def check_installed(guard, server, version="0.2.0"):
    root = guard.root
    assert guard.state == bytearray((98, 120, 3, 0))
    assert Guard(root).state == guard.state
    assert guard.version(root + "b") == version
    assert not exists(root + "b/blob")
    with open(server.path, "rb") as blob:
        line = blob.readline()
        while line:
            path, size = str(line, "utf-8").split(" ")
            with open(root + "b/" + path, "rb") as file:
                for _ in range(0, int(size), 512):
                    piece = file.read(512)
                    assert piece == blob.read(len(piece)), path
                assert file.read() == b""
            line = blob.readline()


async def test_a_release_is_fetched_checked_and_put_on_trial(args):
    guard, server = controller(args, "plain"), Server(args, "good")
    assert await server.serve(guard) == ""
    check_installed(guard, server)
    assert server.asked == list(range(0, server.size, 512))
    for module in ("edge.release", "edge.contents"):
        assert module not in sys.modules


async def test_it_takes_no_chunk_but_the_one_it_asked_for(args):
    long = bytes(1400)

    def flood(chunk):
        yield chunk[:12]
        yield chunk[:-1]
        yield chunk + b"\0"
        yield chunk[:4] + b"\xff\xff\xff\xff" + chunk[8:]  # another offset
        yield chunk[:4] + (7).to_bytes(4, "big") + chunk[8:]
        yield b"\0\0\0\0" + chunk[4:]  # of another blob
        yield chunk[:8] + b"\0\0\0\0" + chunk[12:]
        yield chunk[:-1] + bytes([chunk[-1] ^ 1])
        yield long
        yield b""
        yield b"\0" * 12

    def wrong(chunk, number):
        gc.collect()
        for _ in range(5):
            yield from flood(chunk)
        if number % 2:
            yield chunk
            yield chunk
        yield from flood(chunk)

    guard, server = controller(args, "hostile"), Server(args, "good", wrong)
    assert await server.serve(guard) == ""
    check_installed(guard, server)


async def test_where_nobody_answers_it_gives_up_and_goes_on_later(args):
    guard, server = controller(args, "silent"), Server(args, "good")
    server.wrong = lambda chunk, number: [chunk] if number <= 20 else []
    try:
        await server.serve(guard)
        raise AssertionError("gave no OSError")
    except OSError:
        pass
    assert server.asked == list(range(0, 21 * 512, 512)) + [20 * 512] * 2
    assert not guard.version(guard.root + "b")
    server.asked, server.wrong = [], None
    assert await server.serve(guard) == ""
    assert server.asked[0] == 20 * 512
    check_installed(guard, server)


async def test_something_else_goes_first(args):
    guard, server = controller(args, "paused"), Server(args, "good")
    turns = 0
    while True:
        turns += 1
        left = [5]

        def go_on(left=left):
            left[0] -= 1
            return left[0] >= 0

        why = await server.serve(guard, go_on)
        if why != "paused":
            break
        assert server.agent.release is True
        server.payload = True  # as the agent has it then
    assert why == ""
    assert turns > 3
    assert server.asked == list(range(0, server.size, 512))
    check_installed(guard, server)


async def test_a_session_that_ends_in_between_is_no_refusal(args):
    guard, server = controller(args, "gone"), Server(args, "good")
    publish = server.publish

    async def broken(*publication):
        if len(server.asked) == 10:
            raise OSError("reset")
        await publish(*publication)

    server.publish = broken
    try:
        await server.serve(guard)
        raise AssertionError("gave no OSError")
    except OSError:
        pass
    server.publish = publish
    assert await server.serve(guard) == ""
    check_installed(guard, server)


async def test_what_is_not_for_it_is_refused_and_leaves_both_slots_alone(args):
    guard = controller(args, "refused", b"0.1.7")
    os.mkdir(guard.root + "b")
    write(guard.root + "b/version", b"0.1.5")
    for name, wanted in json.loads(read(args["signed"] + "/refused")):
        server = Server(args, name)
        gc.collect()
        assert await server.serve(guard) == wanted, name
        assert server.asked == []
        assert (guard.version(guard.root + "a"), guard.version(guard.root + "b")) == ("0.1.7", "0.1.5"), name


async def test_without_a_key_nothing_is_taken(args):
    guard, server = controller(args, "keyless"), Server(args, "good")
    for key in (b"", b"\0" * 256, b"\1" * 255, b"\xff" * 512):
        write(guard.root + "release.key", key)
        assert await server.serve(guard) == "signature"


async def test_a_flash_that_is_too_full_refuses(args):
    guard, server = controller(args, "full"), Server(args, "huge-room")
    assert await server.serve(guard) == "space"
    assert server.asked == []


async def test_a_blob_that_is_not_what_was_signed_is_refused_after_the_second_time(args):
    guard, server = controller(args, "content"), Server(args, "good")

    def wrong(chunk, number):
        data = bytes([chunk[12] ^ 1]) + chunk[13:]
        return [chunk[:8] + binascii.crc32(data).to_bytes(4, "big") + data]

    server.wrong = wrong
    assert await server.serve(guard) == "content"
    assert len(server.asked) == 2 * ((server.size + 511) // 512)
    assert not guard.version(guard.root + "b")
    assert not exists(guard.root + "b/edge")
    server.wrong = None
    assert await server.serve(guard) == ""
    check_installed(guard, server)


async def test_no_path_leads_out_of_the_slot(args):
    for number in range(args["tricks"]):
        name = "trick%d" % number
        gc.collect()
        guard, server = controller(args, name), Server(args, name)
        assert await server.serve(guard) == "content", name
        assert sorted(os.listdir(guard.root)) == ["a", "b", "release.key"], name
        assert guard.state[0] == 97
        assert not guard.version(guard.root + "b")


async def test_what_failed_is_not_tried_again_until_it_is_withdrawn(args):
    guard, server = controller(args, "failed"), Server(args, "good")
    assert await server.serve(guard) == ""
    guard.save(0, 97, 0, 0, 1)  # three tries later
    asked = len(server.asked)
    assert await server.serve(guard) == "failed"
    assert server.agent.said == {"release_refused": {"version": "0.2.0", "reason": "failed"}}
    payload, server.payload = server.payload, b""
    assert await server.serve(guard) == "same"
    assert Guard(guard.root).state == bytearray((97, 0, 0, 0))
    server.payload = payload
    assert await server.serve(guard) == ""
    assert len(server.asked) == asked  # it is still there
    check_installed(guard, server)


async def test_after_one_that_failed_the_next_is_fetched_in_pieces_too(args):
    guard, server = controller(args, "next"), Server(args, "good")
    assert await server.serve(guard) == ""
    guard.save(0, 97, 0, 0, 1)
    server = Server(args, "newer")
    assert await server.serve(guard, lambda: len(server.asked) < 9) == "paused"
    assert await server.serve(Guard(guard.root)) == ""
    assert server.asked[9] == 9 * 512
    check_installed(Guard(guard.root), server, "0.3.0")


async def test_in_a_trial_the_other_slot_is_not_touched(args):
    guard, server = controller(args, "trial"), Server(args, "good")
    guard.save(1, 120, 3, 0)
    try:
        await server.serve(guard)
        raise AssertionError("gave no OSError")
    except OSError:
        pass
    assert server.agent.release == server.payload
    assert not exists(guard.root + "b")


async def test_a_newer_release_takes_the_place_of_a_half_fetched_one(args):
    guard, server = controller(args, "newer"), Server(args, "good")
    left = [9]

    def go_on():
        left[0] -= 1
        return left[0] > 0

    assert await server.serve(guard, go_on) == "paused"
    server = Server(args, "newer")
    assert await server.serve(guard) == ""
    assert server.asked[0] == 0
    check_installed(guard, server, "0.3.0")


def test_memory(args):
    if not hasattr(gc, "mem_alloc"):
        return
    guard, server = controller(args, "memory"), Server(args, "good")
    most = [0]

    def go_on():
        gc.collect()
        most[0] = max(most[0], gc.mem_alloc())
        return True

    gc.collect()
    before = gc.mem_alloc()
    assert asyncio.run(server.serve(guard, go_on)) == ""
    gc.collect()
    after = gc.mem_alloc()
    print("memory", most[0] - before, after - before)
    assert after - before < 3000  # the update object, and the list of what was asked
