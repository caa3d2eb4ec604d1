"""A store that takes what an InfluxDB 1 is told and keeps nothing but its size: what ingest costs by itself.

Beside a store that has more to do the more series there are, the CPU that ingest takes for the same work grows too:
both want the same caches and memory. Here the other parts do the same whatever the number of poles.

python -m bench.ingest_nowhere PORT
"""

import asyncio
import re
import sys

import h11

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')  # which may hold anything
_LINE = re.compile(rb"(?m)^([^,]+)\S* (\S+) \d+$")  # measurement and fields


class Told:
    """What has been written. readings: fields, but those of the ledger; counted when they are asked for."""

    def __init__(self) -> None:
        self.lines = 0
        self._readings = 0
        self._bodies: list[bytes] = []

    def take(self, body: bytes) -> None:
        self.lines += body.count(b"\n") + (not body.endswith(b"\n") and body != b"")
        self._bodies.append(body)

    @property
    def readings(self) -> int:
        while self._bodies:
            found = _LINE.findall(_TEXT.sub(b"", self._bodies.pop()))
            self._readings += sum(fields.count(b"=") for measurement, fields in found if measurement != b"pack")
        return self._readings


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._http = h11.Connection(h11.SERVER)
        self._path = b""
        self._parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Request):
                self._path, self._parts = event.target.partition(b"?")[0], []
            elif isinstance(event, h11.Data):
                self._parts.append(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._answer(b"".join(self._parts))
                self._http.start_next_cycle()
            else:
                self._transport.close()
                return

    def _answer(self, body: bytes) -> None:
        status, said = 200, b""
        if self._path == b"/write":
            self._told.take(body)
            status = 204
        elif self._path == b"/lines":
            said = b"%d" % self._told.lines
        elif self._path == b"/readings":
            said = b"%d" % self._told.readings
        headers = [] if status == 204 else [("Content-Length", str(len(said)))]
        for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=said), h11.EndOfMessage()):
            self._transport.write(self._http.send(event) or b"")


async def _serve(port: int) -> None:
    told = Told()
    server = await asyncio.get_running_loop().create_server(lambda: _Client(told), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
