"""`pole edge release`: builds the agent for one board, and signs it."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BOARDS = ("esp32", "rp2", "linux")
PUBLIC = "release.key"  # what a controller has: the modulus, big-endian; the exponent is always 65537
BITS = 3072  # 112 bits of security in 2048, 128 in 3072: NIST SP 800-57 part 1, table 2
BLOCK = 4096  # bytes that LittleFS2 takes for a file at least, on both boards
FOLDER_BLOCKS = 2  # and for a folder
SPARE_BLOCKS = 8  # to move in


class ReleaseError(Exception):
    """A key or a release cannot be used. str() says which, why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What a manifest says beside its blob. trial: seconds."""

    version: str
    board: str
    minimum: str
    trial: int

    def manifest(self, *, size: int, sha256: str, room: int) -> dict[str, object]:
        return {
            "version": self.version, "board": self.board, "size": size, "sha256": sha256, "minimum": self.minimum,
            "room": room, "trial": self.trial,
        }  # fmt: skip

    def check(self) -> None:
        """Raises ValueError when nodes would not take it, whatever the blob is."""
        from wire import releases

        releases.encode_manifest(self.manifest(size=1, sha256="0" * 64, room=0))


@dataclass(frozen=True)
class Release:
    """payload: of down/release, the manifest with its signature. blob: what nodes fetch."""

    payload: bytes
    manifest: dict[str, object]
    blob: bytes

    @property
    def version(self) -> str:
        return str(self.manifest["version"])

    @property
    def board(self) -> str:
        return str(self.manifest["board"])

    @property
    def digest(self) -> bytes:
        return bytes.fromhex(str(self.manifest["sha256"]))

    def write(self, path: Path) -> None:
        path.write_bytes(self.payload + b"\n" + self.blob)


def release(
    board: Annotated[str, typer.Option("--board", help=f"one of {', '.join(BOARDS)}")] = "",
    version: Annotated[str, typer.Option("--version", help="three numbers, later than what runs, as 0.2.0")] = "",
    key: Annotated[Path | None, typer.Option("--key", help="the private key that signs, as --new-key made it")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="where to write it; multipole-VERSION-BOARD.release if left out")
    ] = None,
    minimum: Annotated[
        str, typer.Option("--minimum", help="nodes with an earlier version must take another one first")
    ] = "0.0.0",
    trial: Annotated[
        str, typer.Option("--trial", help="time after a start in which it has to reach the broker and read a sensor")
    ] = "10m",
    new_key: Annotated[
        Path | None, typer.Option("--new-key", help="make a key instead: this file, and release.key beside it")
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option("--passphrase-file", help="one line; the private key is encrypted with it")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document instead of text")] = False,
) -> None:
    """Build the agent for one board and sign it, or make the key that signs."""
    from device_profiles.schema import seconds

    try:
        secret = _passphrase(passphrase_file)
        if new_key is not None:
            said = make_key(new_key, secret)
        else:
            promise = Promise(version=version, board=board, minimum=minimum, trial=int(seconds(trial)))
            promise.check()  # before the work
            private = load_key(_signer(board, key), secret)
            files = contents(board, version)
            made = sign(private, files, promise)
            path = out or Path(f"multipole-{version}-{board}.release")
            made.write(path)
            sizes = {name: len(data) for name, data in files.items()}
            said = {"file": str(path), **made.manifest, "files": sizes, "payload": len(made.payload)}
    except (ReleaseError, ValueError, OSError, RuntimeError) as error:
        print(json.dumps({"error": str(error)}) if as_json else error, file=sys.stderr)
        sys.exit(1)
    print(json.dumps(said) if as_json else _text(said))


def contents(board: str, version: str) -> dict[str, bytes]:
    """The files of a slot, by path: modules of the agent, compiled; for Linux their sources. Raises RuntimeError."""
    from pole.flash import contents as flashed

    files = flashed.code(board, version, compiled=board != "linux")
    inside = ((name.partition("/")[2], data) for name, data in files.items())
    return {name: data for name, data in inside if name != "version"}  # a node writes that one when all is checked


def blob(files: Mapping[str, bytes]) -> bytes:
    """What nodes fetch: a line with path and size, then the file, and so on (docs/wire.md)."""
    return b"".join(b"%s %d\n%s" % (name.encode(), len(data), data) for name, data in files.items())


def sign(key: "RSAPrivateKey", files: Mapping[str, bytes], promise: Promise) -> Release:
    """Raises ValueError when nodes would not take it."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    from wire import releases

    whole = blob(files)
    manifest = promise.manifest(
        size=len(whole), sha256=hashlib.sha256(whole).hexdigest(), room=_room(files, len(whole))
    )
    text = releases.encode_manifest(manifest)
    payload = releases.join(key.sign(text, PKCS1v15(), SHA256()), text)
    return Release(payload=payload, manifest=manifest, blob=whole)


def read(path: Path) -> Release:
    """A release's file. Raises ReleaseError; the signature is for the nodes to check."""
    from wire import releases
    from wire.errors import WireError

    try:
        data = path.read_bytes()
        line, _, rest = data.partition(b"\n")
        text, _, whole = rest.partition(b"\n")
        manifest = releases.decode_manifest(text)
        releases.split(line + b"\n" + text)
    except OSError as error:
        raise ReleaseError(f"{path} cannot be read: {error.strerror}; `pole edge release` makes one") from None
    except WireError as error:
        raise ReleaseError(f"{path} is no release ({error.detail}); `pole edge release` makes one") from None
    if len(whole) != manifest["size"] or hashlib.sha256(whole).hexdigest() != manifest["sha256"]:
        raise ReleaseError(f"{path} is damaged: it does not hold what was signed; copy it again")
    return Release(payload=line + b"\n" + text, manifest=manifest, blob=whole)


def make_key(path: Path, passphrase: bytes | None) -> dict[str, object]:
    """A new private key, for its owner alone, and the public one beside it. Raises ReleaseError, never overwrites."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    public = path.with_name(PUBLIC)
    for each in (path, public):
        if each.exists():
            raise ReleaseError(f"{each} is there already: controllers may depend on it, so name another folder")
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    public.write_bytes(modulus(key))
    return {"private": str(path), "public": str(public), "bits": BITS, "encrypted": bool(passphrase)}


def modulus(key: "RSAPrivateKey") -> bytes:
    """What stands in a controller's release.key."""
    return key.public_key().public_numbers().n.to_bytes(key.key_size // 8, "big")


def load_key(path: Path, passphrase: bytes | None) -> "RSAPrivateKey":
    """Raises ReleaseError."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), passphrase)
    except OSError as error:
        raise ReleaseError(f"--key: {path} cannot be read: {error.strerror}; --new-key makes one") from None
    except TypeError:
        wanted = "say --passphrase-file" if passphrase is None else "leave --passphrase-file out: it has none"
        raise ReleaseError(f"--key: {path}: {wanted}") from None
    except ValueError:
        raise ReleaseError(f"--key: {path} is no private key in PEM, or the passphrase is not its own") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size not in (2048, 3072):
        raise ReleaseError(f"--key: {path} is no RSA key of 2048 or 3072 bits, and nodes check no other; see --new-key")
    return key


def _signer(board: str, key: Path | None) -> Path:
    if board not in BOARDS:
        raise ReleaseError(f"--board: {board!r} is none of {', '.join(BOARDS)}")
    if key is None:
        raise ReleaseError("--key: say which private key signs; --new-key makes one")
    return key


def _passphrase(path: Path | None) -> bytes | None:
    from pole import secret

    return secret.read("--passphrase-file", path).encode() if path else None


def _room(files: Mapping[str, bytes], size: int) -> int:
    """Bytes of flash that an installation takes: the blob and its files at once, in whole blocks."""
    folders = {name.rpartition("/")[0] for name in files}
    blocks = sum(-(-len(data) // BLOCK) for data in files.values()) + -(-size // BLOCK)
    return (blocks + FOLDER_BLOCKS * (len(folders) + 1) + SPARE_BLOCKS) * BLOCK


def _text(said: Mapping[str, object]) -> str:
    if "private" in said:
        return (
            f"{said['private']}: signs releases. Keep it off the network, with a copy: who has it can put a program\n"
            "  on every controller, and without it no controller takes an update.\n"
            f"{said['public']}: for `pole flash --release-key`; it is no secret."
        )
    files: dict[str, int] = said["files"]  # type: ignore[assignment]
    lines = [f"{size:7,}  {name}" for name, size in sorted(files.items())]
    lines.append(
        f"{said['size']:7,}  in all, {len(files)} files; {said['room']:,} bytes of flash while it is installed"
    )
    lines.append(
        f"{said['file']}: {said['version']} for {said['board']}, signed ({said['payload']} bytes to announce it)"
    )
    return "\n".join(lines)
