"""An idle store is asked by a write of nothing, which InfluxDB 2 refuses (400, "writing requires points")."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ingest import isolate
from ingest.errors import Unavailable
from ingest.store_url import open_store


class InfluxDb2(BaseHTTPRequestHandler):
    """Answers a write as InfluxDB 2 does: http/points/points_parser.go refuses what is empty."""

    def do_POST(self):
        wanted = self.headers["Authorization"] == "Token right"
        empty = not int(self.headers.get("Content-Length") or 0)
        self.send_response(401 if not wanted else 400 if empty else 204)
        self.end_headers()
        if wanted and empty:
            self.wfile.write(b'{"code":"invalid","message":"writing requires points"}')

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), InfluxDb2) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"influx2:http://127.0.0.1:{server.server_port}/org/bucket"
        server.shutdown()


def probe(url, token):
    async def ask():
        store = open_store(url, token=token)
        try:
            await isolate.write(store, [], 0)
        finally:
            await store.close()

    asyncio.run(ask())


def test_a_store_that_refuses_an_empty_write_is_there(server):
    probe(server, "right")


def test_a_store_that_refuses_us_is_waited_for(server):
    with pytest.raises(Unavailable, match="401"):
        probe(server, "wrong")


@pytest.mark.parametrize("url", ["victoria:{}", "influx2:{}/org/bucket"])
def test_a_server_of_another_kind_is_waited_for_and_blames_no_reading(influx1, url):
    with pytest.raises(Unavailable, match=r"InfluxDB 1|database is required|404"):
        probe(url.format(influx1.url), "")
