"""A release over the air: its signed manifest, what a node asks for, and the chunks it gets.

A manifest's signature is RSA, PKCS #1 v1.5 with SHA-256, over its very bytes; it is not checked here.
"""

import binascii
import json

from wire.errors import MessageError, shown
from wire.names import has_only, is_name
from wire.numbers import is_count
from wire.payloads import check_size, load

MAX_PAYLOAD = 1200  # bytes of a signature with its manifest, of a fetch, and of a chunk with its head
MAX_CHUNK = 1024  # bytes of a blob
MAX_BLOB = 512 * 1024
TRIAL_S = (5, 1275)
HEAD = 12  # bytes before those of a chunk
SIGNATURES = (256, 384)  # bytes: RSA with 2,048 and with 3,072 bits

MANIFEST = {
    "version": "version",
    "board": "name",
    "size": "count",
    "sha256": "sha256",
    "minimum": "version",
    "room": "count",
    "trial": "count",
}
FETCH = {"release": "version", "sha": "sha", "offset": "count", "length": "count"}


def order(version: str) -> list[int]:
    """What versions are compared by: 0.10.0 is later than 0.9.0. Raises MessageError."""
    parts = version.split(".")
    if len(parts) != 3 or not all([_is_part(part) for part in parts]):
        raise MessageError("version", "a version is three numbers, as 0.2.0; not %s" % shown(version))
    return [int(part) for part in parts]


def encode_manifest(manifest: dict[str, object]) -> bytes:
    """What is signed. Raises MessageError."""
    _check_manifest(manifest)
    return json.dumps(manifest).replace(" ", "").encode()


def decode_manifest(text: bytes) -> dict[str, object]:
    """Raises MessageError."""
    manifest = load(text, MAX_PAYLOAD, MessageError)
    _check_manifest(manifest)
    return manifest  # type: ignore[return-value]


def join(signature: bytes, manifest: bytes) -> bytes:
    """The payload of down/release. Raises MessageError."""
    payload = binascii.b2a_base64(signature) + manifest  # which ends its line
    check_size(payload, MAX_PAYLOAD, MessageError)
    return payload


def split(payload: bytes) -> tuple[bytes, bytes]:
    """The payload of down/release -> (signature, manifest). Raises MessageError."""
    check_size(payload, MAX_PAYLOAD, MessageError)
    line, end, manifest = payload.partition(b"\n")
    try:
        signature = binascii.a2b_base64(line)
    except ValueError:
        signature = b""
    if len(signature) not in SIGNATURES or not end:
        raise MessageError("shape", "a release is a line with an RSA signature in base64, and the manifest")
    return signature, manifest


def decode_fetch(body: bytes) -> dict[str, object]:
    """What a node asks for. Raises MessageError."""
    fetch = load(body, MAX_PAYLOAD, MessageError)
    _check(fetch, FETCH)
    if not 0 < fetch["length"] <= MAX_CHUNK or fetch["offset"] > MAX_BLOB:  # type: ignore
        raise MessageError("value", "a length is 1 to %d, an offset up to %d" % (MAX_CHUNK, MAX_BLOB))
    return fetch  # type: ignore[return-value]


def encode_chunk(sha256: bytes, offset: int, data: bytes) -> bytes:
    """sha256: of the whole blob. Raises MessageError."""
    if not 0 < len(data) <= MAX_CHUNK:
        raise MessageError("size", "a chunk has 1 to %d bytes, not %d" % (MAX_CHUNK, len(data)))
    return sha256[:4] + offset.to_bytes(4, "big") + binascii.crc32(data).to_bytes(4, "big") + data


def decode_chunk(body: bytes) -> tuple[str, int, bytes]:
    """(first 8 digits of the blob's SHA-256, offset, bytes). Raises MessageError."""
    data = body[HEAD:]
    if not 0 < len(data) <= MAX_CHUNK:
        raise MessageError("size", "a chunk has 1 to %d bytes after its head" % MAX_CHUNK)
    if binascii.crc32(data) != int.from_bytes(body[8:HEAD], "big"):
        raise MessageError("crc", "the chunk is damaged")
    return str(binascii.hexlify(body[:4]), "ascii"), int.from_bytes(body[4:8], "big"), data


def _check_manifest(manifest: object) -> None:
    _check(manifest, MANIFEST)
    if not 0 < manifest["size"] <= MAX_BLOB:  # type: ignore
        raise MessageError("value", "size is 1 to %d bytes" % MAX_BLOB)
    if not TRIAL_S[0] <= manifest["trial"] <= TRIAL_S[1]:  # type: ignore
        raise MessageError("value", "trial is %d to %d seconds" % TRIAL_S)


def _check(message: object, labels: dict[str, str]) -> None:
    if not isinstance(message, dict):
        raise MessageError("shape", "the message is an object, not %s" % shown(message))
    for label in labels:
        if label not in message:
            raise MessageError("missing", "%s is missing" % label)
        kind, value = labels[label], message[label]
        if kind == "version" and isinstance(value, str):
            order(value)
        elif not (
            (kind == "count" and is_count(value))
            or (kind == "name" and is_name(value))
            or (kind in ("sha", "sha256") and _is_hex(value, 8 if kind == "sha" else 64))
        ):
            raise MessageError("value", "%s is not %s" % (label, shown(value)))


def _is_part(text: str) -> bool:
    return 0 < len(text) <= 5 and has_only(text, "0123456789") and (text == "0" or text[0] != "0")


def _is_hex(value: object, digits: int) -> bool:
    return isinstance(value, str) and len(value) == digits and has_only(value, "0123456789abcdef")
