"""Which store a URL names.

sqlite:readings.db
influx1:http://127.0.0.1:8086/DATABASE
influx2:http://127.0.0.1:8086/ORG/BUCKET
"""

from pathlib import Path
from urllib.parse import urlsplit

from ingest.stores import Store

EXAMPLES = "sqlite:readings.db, influx1:http://HOST:8086/DATABASE or influx2:http://HOST:8086/ORG/BUCKET"


def check_url(url: str) -> str:
    """The URL itself. Raises ValueError with what is allowed."""
    kind, _, rest = url.partition(":")
    if kind == "sqlite" and rest:
        return url
    parts = urlsplit(rest)
    names = [name for name in parts.path.split("/") if name]
    if parts.scheme in ("http", "https") and parts.hostname and (kind, len(names)) in (("influx1", 1), ("influx2", 2)):
        return url
    raise ValueError(f"{url!r} is not a store; write {EXAMPLES}")


def open_store(url: str, *, token: str = "", folder: Path | None = None) -> Store:
    """The store of a URL. token: influx2's token, or user:password for influx1. folder: where relative paths start."""
    check_url(url)
    kind, _, rest = url.partition(":")
    if kind == "sqlite":
        from ingest.sqlite_store import SqliteStore

        return SqliteStore(path=(folder or Path()) / rest)
    from ingest.influx_store import influx1, influx2

    parts = urlsplit(rest)
    server = f"{parts.scheme}://{parts.netloc}"
    names = [name for name in parts.path.split("/") if name]
    if kind == "influx1":
        return influx1(server=server, database=names[0], credentials=token)
    return influx2(server=server, org=names[0], bucket=names[1], token=token)
