"""A signed manifest IN; whether this controller takes the release OUT, and the other slot made ready for it.

RSA with PKCS #1 v1.5 and SHA-256 (RFC 8017, section 8.2.2). What the signature should hold is built and compared as a
whole: nothing in it is parsed, so there is nothing that a forged padding could hide behind.
"""

import binascii
import hashlib
import json
import os

_MOST = 512 * 1024  # bytes of a release
_PAYLOAD = 1200  # bytes of a manifest with its signature

# RFC 8017, section 9.2, note 1: what says in DER that 32 bytes of SHA-256 follow
_SHA256 = b"\x00\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"


def verified(payload: bytes, key: bytes) -> bytes:
    """payload: base64 signature, line end, manifest. key: modulus, big-endian; the exponent is 65537.

    The manifest. Raises ValueError.
    """
    line, _, text = payload.partition(b"\n")
    signature = binascii.a2b_base64(line)
    size = len(key)
    wanted = b"\x00\x01" + b"\xff" * (size - 54) + _SHA256 + hashlib.sha256(text).digest()
    number = int.from_bytes(signature, "big")
    modulus = int.from_bytes(key, "big")
    if size < 256 or len(signature) != size or number >= modulus:
        raise ValueError
    if pow(number, 65537, modulus).to_bytes(size, "big") != wanted:
        raise ValueError
    return text


def check(payload: bytes, key: bytes, running: str, board: str) -> tuple:
    """(version, why not: one word or empty, digest and size of the blob, room, units of the trial).

    "same": nothing is wrong, but it runs already.
    """
    version = ""
    try:
        text = verified(payload, key)
    except ValueError:
        return version, "signature", b"", 0, 0, 0
    try:
        manifest = json.loads(text)
        version, size, room, trial = [manifest[label] for label in ("version", "size", "room", "trial")]
        digest = binascii.unhexlify(manifest["sha256"])
        for word, wrong in (
            ("same", version == running),
            ("board", manifest["board"] != board),
            ("downgrade", _order(version) < _order(running)),
            ("minimum", _order(running) < _order(manifest["minimum"])),
            ("size", not 0 < size <= _MOST),
            ("manifest", len(digest) != 32 or room < 0 or trial < 5),
        ):
            if wrong:
                return version, word, digest, size, room, 0
        return version, "", digest, size, room, min(trial // 5, 255)
    except Exception:  # signed, but not by these rules
        return version, "manifest", b"", 0, 0, 0


def accept(guard, board: str, payload) -> tuple:
    """(version, what is to be done, digest and size of the blob, units of the trial). Raises OSError: not now.

    payload: of down/release; True: the one that was begun.

    What is to be done: "again": fetch the blob into the other slot, where it goes on if it was begun; "same": nothing,
    it runs already; any other word: the release is refused.
    """
    running, slot = guard.version(guard.slot()), guard.slot(True)
    begun = _read(slot + "/begun")
    if payload is True:
        payload = begun
    version, why, digest, size, room, units = check(payload, _read(guard.root + "release.key"), running, board)
    if not why:
        why = _ready(guard, slot, payload == begun, payload, room)
    return version, why, digest, 0 if guard.version(slot) else size, units


def _ready(guard, slot: str, is_begun: bool, payload: bytes, room: int) -> str:
    if guard.state[1]:
        raise OSError("on trial")  # the other slot is what it may have to go back to
    if is_begun:
        return "failed" if guard.state[3] else "again"
    for name in ("/version", "/begun", ""):  # first it is no longer whole, last it belongs to this release
        _drop(slot + name)
    if guard.state[3] and not guard.save(3, 0):  # that was another one
        return "space"
    os.mkdir(slot)
    figures = os.statvfs(slot)
    if figures[1] * figures[4] < room:
        return "space"
    return "again" if guard.write(slot[-1] + "/begun", payload) else "space"


def _order(version: str) -> list:
    return [int(part) for part in version.split(".")]


def _drop(path: str) -> None:
    # a file, or a folder with what is in it; what is not there is well dropped
    try:
        os.remove(path)
    except OSError:
        try:
            for name in os.listdir(path):
                _drop(path + "/" + name)
            os.rmdir(path)
        except OSError:
            pass


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_PAYLOAD)
    except OSError:
        return b""
