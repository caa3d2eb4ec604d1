"""How a controller's session over the serial line begins and ends."""

import asyncio

from serial_link_played import FIRST, HOLD, WILL, Played, message, told


async def test_a_session_ends(args):
    for ends, why in (
        (lambda played: played.ask(session=b"\xff\xfe"), "gone"),
        (lambda played: played.ask(session=b"\0\0"), "gone"),
        (lambda played: played.ask(FIRST, 1, b"\x04\xff\xff" + bytes(200)), None),  # no message is so long
        (lambda played: played.ask(FIRST, 1, message(1, b"hurt")[:-1] + b"x"), "crc"),
        (lambda played: played.client.close(), "closed"),
    ):
        played = Played()
        await played.online()
        publishing = await played.publishes([b"waits"])
        ended = asyncio.create_task(told(played.client.closed()))
        await ends(played)
        if why is None:
            for number in range(2, 9):
                await played.ask(0, number, bytes(232))
            why = "long"
        assert (await publishing, await ended) == (why, why)
        assert await told(played.client.publish("event", 1, [b"x"])) == why
        assert (await played.ask())[0] == b"\0\0", "it goes on answering"
        played.session, played.came = b"\0\0", 0
        await played.online()


async def test_a_session_without_progress_ends(args):
    played = Played()
    await played.online()
    publishing = await played.publishes([b"waits"])
    for _ in range(7):
        played.line.now += 9000
        await asyncio.sleep(0.006)
        await played.ask(HOLD)
    assert await publishing == "silence"
    assert await told(played.client.closed()) == "silence"
    connecting = asyncio.create_task(told(played.client.connect(WILL)))
    await asyncio.sleep(0.02)
    played.line.now += 61_000
    assert await connecting == "silence"


async def test_an_idle_session_lasts_while_it_is_asked(args):
    played = Played()
    await played.online()
    for _ in range(10):
        played.line.now += 9000
        await asyncio.sleep(0.006)
        await played.ask()
    assert played.client.why is None


async def test_what_is_given_up_in_the_middle_is_not_followed_by_something_else(args):
    played = Played()
    await played.online()
    publishing = await played.publishes([bytes(500)])
    await played.ask()
    publishing.cancel()
    try:
        await publishing
    except asyncio.CancelledError:
        pass
    assert await told(played.client.publish("event", 1, [b"x"])) == "given up"
    played.session, played.came = b"\0\0", 0
    await played.online()

    def torn():
        yield bytes(300)
        raise OSError("flash")

    publishing = await played.publishes(torn(), 400)
    await played.ask()
    played.came = 2
    await played.ask()
    assert await publishing == "flash"
