"""Which store a URL names, with options behind a ? (`store_options`).

sqlite:readings.db
influx1:http://127.0.0.1:8086/DATABASE
influx2:http://127.0.0.1:8086/ORG/BUCKET
influx3:http://127.0.0.1:8181/DATABASE
victoria:http://127.0.0.1:8428
"""

from pathlib import Path
from urllib.parse import urlsplit

from ingest import store_options
from ingest.store_options import Options
from ingest.stores import Store

EXAMPLES = (
    "sqlite:readings.db, influx1:http://HOST:8086/DATABASE, influx2:http://HOST:8086/ORG/BUCKET,"
    " influx3:http://HOST:8181/DATABASE or victoria:http://HOST:8428"
)
_NAMES = {"influx1": 1, "influx2": 2, "influx3": 1, "victoria": 0}  # in the path
_OPTIONS = {
    "sqlite": ("keep", "thin"),
    "influx1": ("keep", "thin", "gzip"),
    "influx2": ("keep", "thin", "gzip"),
    "influx3": ("keep", "gzip"),
    "victoria": ("gzip",),  # it takes its retention from the command line
}
_LEAST_S = {"influx1": 3600, "influx2": 3600}  # "retention policy duration must be at least 1h0m0s"


def check_url(url: str) -> str:
    """The URL itself. Raises ValueError with what is allowed."""
    _parts(url)
    return url


def open_store(url: str, *, token: str = "", folder: Path | None = None) -> Store:
    """The store of a URL. token: the server's token, or user:password. folder: where relative paths start."""
    kind, place, names, options = _parts(url)
    if kind == "sqlite":
        from ingest.sqlite_store import SqliteStore

        return SqliteStore(path=(folder or Path()) / place, options=options)
    from ingest import influx_store

    if kind == "influx1":
        return influx_store.influx1(server=place, database=names[0], credentials=token, options=options)
    if kind == "influx2":
        return influx_store.influx2(server=place, org=names[0], bucket=names[1], token=token, options=options)
    if kind == "influx3":
        return influx_store.influx3(server=place, database=names[0], token=token, options=options)
    return influx_store.victoria(server=place, credentials=token, options=options)


def _parts(url: str) -> tuple[str, str, list[str], Options]:
    """Kind, file or server, names in the path, options."""
    kind, _, rest = url.partition(":")
    rest, _, query = rest.partition("?")
    if kind == "sqlite" and rest:
        return kind, rest, [], _options(url, kind, query)
    parts = urlsplit(rest)
    names = [name for name in parts.path.split("/") if name]
    if parts.scheme not in ("http", "https") or not parts.hostname or _NAMES.get(kind) != len(names):
        raise ValueError(f"{url!r} is not a store; write {EXAMPLES}")
    return kind, f"{parts.scheme}://{parts.netloc}", names, _options(url, kind, query)


def _options(url: str, kind: str, query: str) -> Options:
    try:
        return store_options.read(query, _OPTIONS[kind], least_s=_LEAST_S.get(kind, 1))
    except ValueError as error:
        raise ValueError(f"{url!r}: {error}") from error
