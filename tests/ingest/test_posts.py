"""Requests to a store: servers that end, cut, delay, refuse early and say too much, each a real socket."""

import asyncio
import os
import socket

import pytest

from ingest import posts
from ingest.errors import IngestError, Unavailable
from ingest.posts import Posts

STORED = b"HTTP/1.1 204 No Content\r\n\r\n"
BODY = b"air,pole=P0001 pm2_5=35.2 1790000000000000000"


class Server:
    """answers: what it says on each connection after each request; b"" ends the connection without a word."""

    def __init__(self, *answers, reads=True):
        self.requests = []
        self.writers = []
        self._answers = list(answers)
        self._reads = reads

    @property
    def connections(self):
        return len(self.writers)

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.posts = Posts(name="the store", url=f"http://127.0.0.1:{port}/write?db=x", headers={"X-Told": "y"})
        return self

    async def __aexit__(self, *_):
        self.posts.close()
        self._server.close()

    async def _serve(self, reader, writer):
        self.writers.append(writer)
        while self._answers:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                if self._reads:
                    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                    self.requests.append((head, await reader.readexactly(length)))
            except asyncio.IncompleteReadError:
                break
            answer = self._answers.pop(0)
            if answer is None:
                await asyncio.sleep(30)
            writer.write(answer)
            if not answer or b"\r\nConnection: close" in answer or not self._reads:
                break
        if self._reads:
            writer.close()
        else:
            await asyncio.sleep(30)


def test_a_connection_serves_one_request_after_the_other():
    async def work():
        async with Server(STORED, b"HTTP/1.1 400 Bad\r\nContent-Length: 5\r\n\r\nwhy?\n", STORED) as server:
            answers = [await server.posts.send(BODY) for _ in range(3)]
            return server, answers

    server, answers = asyncio.run(work())
    assert [(answer.status, answer.text) for answer in answers] == [(204, ""), (400, "why?"), (204, "")]
    assert server.connections == 1
    head, body = server.requests[0]
    assert head.startswith(b"POST /write?db=x HTTP/1.1\r\n")
    assert b"X-Told: y" in head
    assert body == BODY


def test_several_requests_are_under_way_at_once():
    async def work():
        async with Server(*[STORED] * 8) as server:
            answers = await asyncio.gather(*(server.posts.send(BODY) for _ in range(8)))
            return server.connections, [answer.status for answer in answers]

    connections, statuses = asyncio.run(work())
    assert statuses == [204] * 8
    assert connections > 1


def test_a_connection_that_the_server_ended_is_made_anew():
    async def work():
        async with Server(STORED, b"", STORED) as server:
            return [(await server.posts.send(BODY)).status for _ in range(2)], server.connections

    assert asyncio.run(work()) == ([204, 204], 2)


def test_a_connection_that_was_idle_for_long_is_not_trusted(monkeypatch):
    async def work(idle_s):
        monkeypatch.setattr(posts, "IDLE_S", idle_s)
        async with Server(STORED, STORED) as server:
            return [(await server.posts.send(BODY)).status for _ in range(2)], server.connections

    assert asyncio.run(work(20.0)) == ([204, 204], 1)
    assert asyncio.run(work(0.0)) == ([204, 204], 2)


def test_what_says_that_it_closes_is_not_used_again():
    async def work():
        closing = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy"
        async with Server(closing, STORED) as server:
            first = await server.posts.send(BODY)
            return first, (await server.posts.send(BODY)).status, server.connections

    first, second, connections = asyncio.run(work())
    assert (first.status, first.text, first.retry_after) == (503, "busy", "7")
    assert (second, connections) == (204, 2)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad\r\nContent-Length: 1\r\n\r\nx", "x"),
        (b"HTTP/1.0 500 Bad\r\nConnection: close\r\n\r\nuntil the end", "until the end"),
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 9000000\r\n\r\n" + b"y" * 300_000, "y" * posts.MAX_ANSWER_BYTES),
    ],
)
def test_an_answer_is_read_in_each_of_its_forms(answer, text):
    async def work():
        async with Server(answer) as server:
            return (await server.posts.send(BODY)).text

    assert asyncio.run(work()) == text


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([b""], "it closed the connection"),
        ([b"HTTP/1.1 204"], "."),
        ([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], "illegal status line"),
        ([b"HTTP/1.1 400 Bad\r\nConnection: close\r\nContent-Length: 50\r\n\r\nhalf"], "peer closed connection"),
        ([b"HTTP/1.1 204 No Content\r\nX: " + b"x" * 200_000], "."),
        ([None], "no answer within 0.3 s"),
    ],
)
def test_what_is_no_answer_is_told_with_the_name(monkeypatch, answers, said):
    if answers == [None]:  # the others are told as what they are, however slow the machine is
        monkeypatch.setattr(posts, "ANSWER_S", 0.3)

    async def work():
        async with Server(*answers) as server:
            await server.posts.send(BODY)

    with pytest.raises(Unavailable, match=f"^the store: .*{said}"):
        asyncio.run(work())


def test_a_server_that_takes_no_more_is_heard_while_we_still_write():
    async def work():
        refused = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\ntoo"
        async with Server(refused, STORED, reads=False) as server:
            first = await server.posts.send(b"x" * 20_000_000)
            return first.status, (await server.posts.send(BODY)).status, server.connections

    assert asyncio.run(work()) == (413, 204, 2)


@pytest.mark.parametrize("apart", [False, True])
def test_what_was_said_before_the_request_is_no_answer_to_it(apart):
    async def work():
        async with Server(STORED if apart else STORED + STORED, STORED) as server:
            assert (await server.posts.send(BODY)).status == 204
            if apart:
                server.writers[0].write(STORED)
                await asyncio.sleep(0.1)  # until it has come
            assert (await server.posts.send(BODY)).status == 204
            return len(server.requests), server.connections

    assert asyncio.run(work()) == (2, 2)


def test_a_server_that_stands_still_keeps_neither_connections_nor_what_was_not_sent(monkeypatch):
    monkeypatch.setattr(posts, "ANSWER_S", 0.05)

    async def work():
        with socket.create_server(("127.0.0.1", 0), backlog=20) as still:  # its system takes connections, it nothing
            there = Posts(name="it", url=f"http://127.0.0.1:{still.getsockname()[1]}/write", headers={})
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(5):
                with pytest.raises(Unavailable, match="no answer within"):
                    await there.send(bytes(20_000_000))
            await asyncio.sleep(0)
            return len(os.listdir("/proc/self/fd")) - before

    assert asyncio.run(work()) <= 0


def test_a_user_in_the_address_is_no_part_of_the_host():
    async def work():
        async with Server(STORED) as server:
            address = server.posts._headers[0][1]
            there = Posts(name="the store", url=f"http://user:secret@{address}/write", headers={})
            await there.send(BODY)
            there.close()
            return server.requests[0][0], address

    head, address = asyncio.run(work())
    assert f"\r\nHost: {address}\r\n".encode() in head


@pytest.mark.parametrize("token", ["a\nb", "\u00fc"])
def test_a_token_that_no_request_can_hold_is_told_at_once_and_not_shown(token):
    with pytest.raises(IngestError, match=r"^the store: .*its token has a character that HTTP does not allow$"):
        Posts(name="the store", url="http://127.0.0.1:1/write", headers={"Authorization": f"Token {token}"})


def test_nobody_there_is_told():
    async def work():
        async with Server() as server:
            server._server.close()
            await server._server.wait_closed()
            await server.posts.send(BODY)

    with pytest.raises(Unavailable, match=r"^the store: .*127\.0\.0\.1"):
        asyncio.run(work())
