"""HTTP servers that answer writes in the dialects of databases that are not here."""

import gzip
import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Dialect:
    """answer(body) -> (status, text, headers) of a write; everything that was asked stands in `asked`."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []  # (method, path, fields, body)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer is one segment, or each waits for a delayed ACK

            def do_POST(self):
                self.do_GET()

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                parts = urlsplit(self.path)
                asked = (self.command, parts.path, parse_qs(parts.query), body.decode())
                outer.asked.append(asked)
                status, text, headers = outer.answer(*asked)
                said = text.encode() if isinstance(text, str) else json.dumps(text).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def writes(self):
        return [asked for asked in self.asked if "write" in asked[1]]


class Database:
    """Keeps lines; a field that comes with another type than its first is refused, in the manner of a version.

    keeps_from_ns: what is older is refused as InfluxDB 2 does it.
    """

    def __init__(self, manner, *, keeps_from_ns=0):
        self.manner = manner
        self.keeps_from_ns = keeps_from_ns
        self.types, self.lines = {}, set()

    def __call__(self, method, path, fields, body):
        if "write" not in path:
            return 200, {}, {}
        good, bad = [], []
        for number, line in enumerate(body.split("\n") if body else [], 1):
            conflict = self._conflict(line)
            (bad if conflict else good).append((number, line, conflict))
        return getattr(self, "_" + self.manner)(good, bad)

    def _conflict(self, line):
        head, rest = line.split(" ", 1)
        name = head.split(",")[0]
        for field in rest.rpartition(" ")[0].split(","):
            point, _, value = field.partition("=")
            kind = "string" if value[0] == '"' else "boolean" if value in ("true", "false") else "float"
            kind = "integer" if value.endswith("i") else kind
            if self.types.setdefault((name, point), kind) != kind:
                return name, point, kind, self.types[name, point]
        return None

    def _v2(self, good, bad):
        # InfluxDB OSS 2.7.12, seen: the good ones are stored, one reason is told, and types come before times
        old = [line for _, line, _ in good if self._time(line) < self.keeps_from_ns]
        self.lines |= {line for _, line, _ in good if line not in old}
        if not bad and not old:
            return 204, "", {}
        why = self._conflicts(bad) if bad else self._too_old(old)
        said = f"failure writing points to database: partial write: {why}"
        return 422, {"code": "unprocessable entity", "message": said}, {}

    def _conflicts(self, bad):
        name, point, kind, known = bad[0][2]
        why = f'input field "{point}" on measurement "{name}" is type {kind}, already exists as type {known}'
        return f"field type conflict: {why} dropped={len(bad)}"

    def _too_old(self, old):
        bound = self._iso(self.keeps_from_ns)
        ends = [min(old, key=self._time), max(old, key=self._time)]
        told = [
            f"point {line.split(' ')[0]} at {self._iso(self._time(line))} dropped because it violates a"
            f" Retention Policy Lower Bound at {bound}"
            for line in ends
        ]
        return (
            f"dropped {len(old)} points outside retention policy of duration 720h0m0s - oldest {told[0]}, newest"
            f" {told[1]} dropped={len(old)} for database: 42f251782a989256 for retention policy: autogen"
        )

    def _time(self, line):
        return int(line.rpartition(" ")[2])

    def _iso(self, ns):
        return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09}Z"

    def _v3(self, good, bad):
        # InfluxDB 3 Core with accept_partial=true
        self.lines |= {line for _, line, _ in good}
        if bad:
            return 400, {"error": "partial write of line protocol occurred", "data": self._data(bad)[:100]}, {}
        return 204, "", {}

    def _v3_whole(self, good, bad):
        # InfluxDB 3 Core by its v2 API: nothing is stored, the first bad line is told
        if bad:
            return 400, {"error": "parsing failed for write_lp endpoint", "data": self._data(bad)[0]}, {}
        self.lines |= {line for _, line, _ in good}
        return 204, "", {}

    def _cloud(self, good, bad):
        # InfluxDB Cloud: "What Happened to My Points?", influxdata.com
        self.lines |= {line for _, line, _ in good}
        if not bad:
            return 204, "", {}
        said = f"partial write error ({len(good)} accepted): {len(bad)}/{len(good) + len(bad)} points rejected; "
        return 400, {"code": "invalid", "message": f"{said}first error: at line {bad[0][0]}:7: wrong type"}, {}

    def _multi(self, good, bad):
        # 207 Multi-Status without a word of which
        self.lines |= {line for _, line, _ in good}
        return (207, {"message": f"{len(bad)} of them failed"}, {}) if bad else (204, "", {})

    def _data(self, bad):
        return [
            {
                "original_line": line,
                "line_number": number,
                "error_message": f"invalid column type for column '{point}', expected iox::column_type::field::{known},"
                f" got iox::column_type::field::{kind}",
            }
            for number, line, (_, point, kind, known) in bad
        ]
