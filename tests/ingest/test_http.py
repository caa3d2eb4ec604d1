"""The pages, by a foreign HTTP client."""

import asyncio
import json
import urllib.error
import urllib.request

import pytest

from ingest.errors import IngestError
from ingest.http import Http, alive, ready


def serve(*calls, waiting_for=()):
    async def work():
        pages = {"/healthz": alive, "/readyz": lambda: ready(list(waiting_for))}
        http = Http(host="127.0.0.1", port=0, pages=pages)
        await http.start()
        try:
            return [await asyncio.to_thread(call, f"http://127.0.0.1:{http.port}") for call in calls]
        finally:
            http.close()

    return asyncio.run(work())


def get(path, method="GET"):
    def call(url):
        try:
            with urllib.request.urlopen(urllib.request.Request(url + path, method=method), timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    return call


def test_ready_says_ok_or_what_is_waited_for():
    ((status, body),) = serve(get("/readyz?x=1"))
    assert (status, json.loads(body)) == (200, {"status": "ok", "waiting_for": []})
    ((status, body),) = serve(get("/readyz"), waiting_for=["store: down"])
    assert (status, json.loads(body)) == (503, {"status": "waiting", "waiting_for": ["store: down"]})


def test_who_waits_for_a_part_is_alive():
    ((status, body),) = serve(get("/healthz"), waiting_for=["store: down"])
    assert (status, json.loads(body)) == (200, {"status": "ok"})


def test_other_pages_and_methods_are_refused_and_head_has_no_body():
    found = serve(get("/"), get("/healthz", "POST"), get("/healthz", "HEAD"))
    assert found == [(404, b"try /healthz, /readyz\n"), (405, b"only GET\n"), (200, b"")]


def test_an_address_of_ipv6_stands_in_brackets():
    async def work():
        http = Http(host="[::1]", port=0, pages={})
        await http.start()
        _, writer = await asyncio.open_connection("::1", http.port)
        writer.close()
        http.close()

    asyncio.run(work())


def test_a_port_that_is_taken_is_told():
    async def work():
        first = Http(host="127.0.0.1", port=0, pages={})
        await first.start()
        try:
            await Http(host="127.0.0.1", port=first.port, pages={}).start()
        finally:
            first.close()

    with pytest.raises(IngestError, match=r"http: 127\.0\.0\.1:\d+ is taken\. Name another port in `http`"):
        asyncio.run(work())
