"""A signed manifest and a public key IN; what it says OUT, if the signature is right and the release may be installed.

RSA with PKCS #1 v1.5 and SHA-256 (RFC 8017, section 8.2.2). What the signature should hold is built and compared as a
whole: nothing in it is parsed, so there is nothing that a forged padding could hide behind.
"""

import binascii
import hashlib
import json

_MOST = 512 * 1024  # bytes of a release

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


def _order(version: str) -> list:
    return [int(part) for part in version.split(".")]
