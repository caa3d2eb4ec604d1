"""Ingest's configuration: one YAML file, checked before anything starts."""

import re
import socket
import ssl
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr

from device_profiles import problems
from device_profiles.problems import FileProblem
from device_profiles.schema import Name
from ingest.session import Address
from ingest.store_url import check_url

# What the broker keeps for one that is alone waits for it; what it keeps for one of several, others could have had.
ALONE_EXPIRY_S, SHARED_EXPIRY_S = 7 * 86400, 120
_PORTS = {"mqtt": 1883, "mqtts": 8883}


def _broker(url: str) -> str:
    parts = urlsplit(url)
    try:
        good = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port or 1) > 0 and not parts.password
    except ValueError:
        good = False
    if not good:
        raise ValueError("write mqtt://USER@HOST:1883 or mqtts://USER@HOST:8883; the password stands in password_file")
    return url


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("write HOST:PORT, as in 127.0.0.1:9464; port 0 takes a free one")
    return text


class Config(BaseModel):
    """Paths are relative to the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    broker: Annotated[str, AfterValidator(_broker)]
    client_id: Name = "ingest-1"
    password_file: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    receive_max: int = Field(200, ge=1, le=65535, description="packs under way; with their size it bounds the memory")
    store: Annotated[str, AfterValidator(check_url)]
    token_file: Path | None = None
    dead_letters: Path
    dead_letter_megabytes: int = Field(256, ge=1)
    http: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:9464"
    _folder: Path = PrivateAttr(Path())
    _worker: int | None = PrivateAttr(None)
    _careful: bool = PrivateAttr(False)

    @property
    def registry(self) -> Path:
        """Where the nodes' births are kept: beside the dead letters, for each worker by itself."""
        worker = "" if self._worker is None else f"-{self._worker}"
        return self.path(self.dead_letters).with_name(f"births{worker}.db")

    @property
    def worker(self) -> int | None:
        """Which of several workers this is, from 1; None: it takes all packs."""
        return self._worker

    @property
    def careful(self) -> bool:
        """It notes each pack down before it looks at it: one of the last ones ended it."""
        return self._careful

    @property
    def folder(self) -> Path:
        """The file's own folder."""
        return self._folder

    def path(self, path: Path) -> Path:
        return self._folder / path

    def with_changes(self, changes: dict[str, object]) -> "Config":
        """The same with other values, which are checked. Raises FileProblem."""
        told = self.model_dump(exclude_unset=True) | changes
        changed: Config = problems.check(Config, told, "the command line")
        changed._folder = self._folder
        changed._worker = self._worker
        return changed

    def of_worker(self, number: int, *, http: str, careful: bool = False) -> "Config":
        """The configuration of one of several workers; careful: one pack at a time.

        Its client id has the machine's name in it: the same command on another machine shares the same load.
        """
        host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:32]
        name = f"{self.client_id[:24]}-{host}-{number}"
        changed = self.with_changes({"client_id": name, "http": http} | ({"receive_max": 1} if careful else {}))
        changed._worker, changed._careful = number, careful
        return changed

    def address(self) -> Address:
        """Raises FileProblem where a file that the configuration names cannot be used."""
        parts = urlsplit(self.broker)
        return Address(
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            client_id=self.client_id,
            user=parts.username,
            password=self.secret("password_file").encode() or None,
            tls=self._tls() if parts.scheme == "mqtts" else None,
            receive_max=self.receive_max,
            expiry_s=ALONE_EXPIRY_S if self._worker is None else SHARED_EXPIRY_S,
        )

    def secret(self, key: str) -> str:
        """The text of password_file or token_file without surrounding space; empty where none is named."""
        name: Path | None = getattr(self, key)
        if name is None:
            return ""
        try:
            return self.path(name).read_text().strip()
        except (OSError, UnicodeError) as error:
            raise FileProblem([f"{key}: {self.path(name)} cannot be read: {error}. Write the secret there."]) from error

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.path(self.ca) if self.ca else None)
            if self.cert is not None:
                context.load_cert_chain(self.path(self.cert), self.path(self.key) if self.key else None)
        except (OSError, ssl.SSLError) as error:
            raise FileProblem(
                [f"ca, cert, key: {error}. They are PEM files; the broker's CA signs both sides."]
            ) from error
        return context


def load(path: Path) -> Config:
    """File -> Config. Raises FileProblem."""
    config: Config = problems.check(Config, problems.read_yaml(path), path)
    config._folder = path.resolve().parent
    return config
