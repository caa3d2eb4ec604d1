"""Ingest's configuration: one YAML file and the environment, checked before anything starts."""

import os
import re
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError

from device_profiles import indentation, problems, wording
from device_profiles.problems import Document, FileProblem
from device_profiles.schema import Name
from device_profiles.wording import Fault
from ingest import environment
from ingest.inventory import Inventory
from ingest.session import Address
from ingest.store_url import check_url

# What the broker keeps for one that is alone waits for it; what it keeps for one of several, others could have had.
ALONE_EXPIRY_S, SHARED_EXPIRY_S = 7 * 86400, 120
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_PASSWORD = re.compile(r"(://[^/@:]*:)[^@]*@")
_OURS = re.compile(r"births(-\d+)?\.db|owners|replay\.lock")  # what ingest keeps beside the dead letters


def _broker(url: str) -> str:
    parts = urlsplit(url)
    try:
        good = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port or 1) > 0 and not parts.password
        good = good and parts.path in ("", "/") and not parts.query
    except ValueError:
        good = False
    if not good:
        raise ValueError("write mqtt://USER@HOST:1883 or mqtts://USER@HOST:8883; the password stands in password_file")
    return url


def _store(url: str) -> str:
    if urlsplit(url.partition(":")[2]).username is not None:
        raise ValueError("the user, the password or the token stands in token_file")
    try:
        return check_url(url)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(repr(url)).lstrip(": ")) from error  # the message has it in front


def _listen(told: object) -> str:
    host, _, port = str(told).rpartition(":")
    if not _HOST.fullmatch(host) or not port.isdecimal() or int(port) > 65535:
        raise ValueError("write HOST:PORT, as in 127.0.0.1:9464; port 0 takes a free one")
    return str(told)


def _listed(told: object) -> object:
    return [each.strip() for each in told.split(",")] if isinstance(told, str) else told


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
    store: Annotated[str, AfterValidator(_store)]
    token_file: Path | None = None
    dead_letters: Path
    dead_letter_megabytes: int = Field(256, ge=1)
    inventory: Annotated[tuple[Path, ...], BeforeValidator(_listed)] = Field(
        (), description="site files, or folders of them: each node may speak for the devices that they give it"
    )
    http: Annotated[str, BeforeValidator(_listen)] = "127.0.0.1:9464"
    workers: int | None = Field(None, ge=1, le=64, description="processes that share the packs; none: one takes all")
    log: Literal["text", "json"] = Field("text", description="lines for people, or one JSON object a line")
    _folder: Path = PrivateAttr(Path())
    _worker: int | None = PrivateAttr(None)
    _careful: bool = PrivateAttr(False)

    @property
    def registry(self) -> Path:
        """Where the nodes' births are kept: beside the dead letters, for each worker by itself."""
        worker = "" if self._worker is None else f"-{self._worker}"
        return self.path(self.dead_letters).with_name(f"births{worker}.db")

    @property
    def registries(self) -> list[Path]:
        """The births that are kept here: of one that is alone, or of each worker."""
        return sorted(self.registry.parent.glob("births*.db"))

    @property
    def owners(self) -> Path:
        """Whose disputed devices are: of all workers."""
        return self.path(self.dead_letters).with_name("owners")

    @property
    def replay_lock(self) -> Path:
        """Held by the one who replays dead letters."""
        return self.path(self.dead_letters).with_name("replay.lock")

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

    def sites(self) -> Inventory | None:
        """The inventory, where there is one. Raises FileProblem."""
        return Inventory([self.path(each) for each in self.inventory]) if self.inventory else None

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
            secret = self.path(name).read_text().strip()
        except OSError as error:
            text = f"{key}: {self.path(name)} cannot be read: {error.strerror}. Write the secret there."
            raise FileProblem([text]) from error
        except UnicodeError as error:
            raise FileProblem([f"{key}: {self.path(name)} is no text. Write the secret there."]) from error
        if not secret:
            raise FileProblem(f"{key}: {self.path(name)} is empty. Write the secret there.")
        return secret

    def check_usable(self) -> None:
        """Raises FileProblem where a file or folder that the configuration names cannot be used."""
        self.check_places()
        self.address()
        self.secret("token_file")

    @property
    def store_file(self) -> Path | None:
        """The SQLite store's; None where the store is a server."""
        kind, _, place = self.store.partition("?")[0].partition(":")
        return self.path(Path(place)) if kind == "sqlite" else None

    def check_places(self) -> None:
        """Raises FileProblem where the dead letters cannot be kept: said before SQLite says it in its own words."""
        check_file("dead_letters", self.path(self.dead_letters), "dead-letters.db")

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.path(self.ca) if self.ca else None)
        except (OSError, ssl.SSLError) as error:
            raise self._no_pem("ca", error, "The broker's CA, as a PEM file.") from error
        if self.cert is not None:
            try:
                context.load_cert_chain(self.path(self.cert), self.path(self.key) if self.key else None)
            except (OSError, ssl.SSLError) as error:
                remedy = "Our certificate and its key; they are PEM files, without a passphrase."
                raise self._no_pem("cert, key", error, remedy) from error
        return context

    def _no_pem(self, keys: str, error: Exception, remedy: str) -> FileProblem:
        named = [self.path(path) for path in (getattr(self, key) for key in keys.split(", ")) if path is not None]
        return FileProblem(f"{keys}: {', '.join(map(str, named))}: {error}. {remedy}")


def check_file(key: str, path: Path, example: str) -> None:
    """Raises FileProblem where no such SQLite file can be made or written."""
    if path.is_dir():
        raise FileProblem(f"{key}: {path} is a folder. Name a file in it, as in {path / example}.")
    if not path.parent.is_dir():
        raise FileProblem(f"{key}: the folder {path.parent} is not there. Make it, or name another path.")
    if not os.access(path.parent, os.W_OK):
        raise FileProblem(f"{key}: nothing can be written in {path.parent}. Give its owner's rights to us.")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise FileProblem(f"{key}: {path} belongs to somebody else. Give its owner's rights to us.")


def meant(path: Path | None) -> Path | None:
    """The file that a command is told, or the usual one; None: the environment says it all."""
    usual = Path("ingest.yaml")
    return path if path is not None else usual if usual.exists() else None


def load(path: Path | None, environ: Mapping[str, str] = os.environ) -> Config:
    """The file and what the environment changes of it; None: the environment alone. Raises FileProblem."""
    document = Document({}, {}) if path is None else problems.read_yaml(path)
    changes = environment.settings(Config.model_fields, environ)
    if path is None and not changes:
        raise FileProblem(
            "no configuration: name a file, or put one here as ingest.yaml,"
            f" or set {environment.variable('broker')} and the others in the environment"
        )
    told = {key: _without_password(value) for key, value in {**document, **changes}.items()}
    try:
        config = Config.model_validate(told)
    except ValidationError as error:
        faults = indentation.faults(Config, told) or wording.faults(Config, told, error)
    else:
        faults = _contradictions(config)
        config._folder = Path.cwd() if path is None else path.resolve().parent
        if not faults:
            return config
    raise _problem(faults, document, path, changes)


def _without_password(value: object) -> object:
    """A password does not belong into a URL, so it is refused there, and the message must not tell it."""
    return _PASSWORD.sub(r"\1…@", value) if isinstance(value, str) else value


def _problem(faults: list[Fault], document: Document, path: Path | None, changes: Mapping[str, str]) -> FileProblem:
    """Each mistake where it was made: in a line of the file, or in a variable."""
    if path is None:
        changes = dict.fromkeys(Config.model_fields, "")
    of_file = [fault for fault in faults if not fault[0] or fault[0][0] not in changes]
    lines = problems.problem(of_file, document, path or "the environment").messages if of_file else []
    for keys, text in faults:
        if keys and keys[0] in changes:
            lines.append(f"{environment.variable(str(keys[0]))}: {text}")
    return FileProblem(lines)


def _contradictions(config: Config) -> list[Fault]:
    """Keys that do not go together."""
    found: list[Fault] = []
    broker, store = urlsplit(config.broker), config.store.partition("?")[0]
    if broker.scheme == "mqtt":
        for key in ("ca", "cert", "key"):
            if getattr(config, key) is not None:
                text = "is for TLS, and the broker's URL begins with mqtt://. Write mqtts://, or leave this out."
                found.append(((key,), text))
    if config.key is not None and config.cert is None:
        found.append((("key",), "is the key of a certificate: name that in `cert`."))
    if config.password_file is not None and not broker.username:
        found.append((("password_file",), "is of a user, and the broker's URL names none. Write mqtt://USER@HOST."))
    if config.token_file is not None and store.startswith("sqlite:"):
        found.append((("token_file",), "is for a server, and the store is a SQLite file. Leave this out."))
    if _OURS.fullmatch(config.dead_letters.name):
        text = f"{config.dead_letters.name} beside it has another use. Write dead-letters.db."
        found.append((("dead_letters",), text))
    if store == f"sqlite:{config.dead_letters}":
        found.append((("dead_letters",), f"{config.dead_letters} is the store's own file. Write dead-letters.db."))
    return found
