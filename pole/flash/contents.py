"""What stands on a controller when it is done: a site, a node and a board's modules IN, files by name OUT."""

import base64
import binascii
import re
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from device_profiles.site import Controller
from pole.edge import bundle
from pole.flash import FlashError

SLOT = "a"
# Written last and in this order: whoever finds main.py finds all the others
STATE = "slot"
GUARD = "main.py"
SECRETS = (
    "password", "wifi", "ca.der", "ca.pem", "cert.der", "cert.pem", "key.der", "key.pem",
)  # fmt: skip
PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----\s+(.*?)-----END \1-----", re.DOTALL)
SMALLEST_KEY = 256  # bytes of an RSA modulus: edge/release.py takes no shorter one


@dataclass(frozen=True)
class Contents:
    """Files by name. code: slot a; part: the site's; secrets: never shown, not even their hashes."""

    code: dict[str, bytes]
    part: dict[str, bytes]
    secrets: dict[str, bytes]
    last: dict[str, bytes] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, bytes]:
        """Everything but what is written last."""
        return {**self.code, **self.part, **self.secrets}


def code(board: str, version: str, *, compiled: bool) -> dict[str, bytes]:
    """The agent's modules for slot a; the file that says it is whole comes last."""
    sources = list(bundle.modules(board))
    if compiled:
        with tempfile.TemporaryDirectory() as folder:
            bundle.build(Path(folder), sources)
            files = {f"{SLOT}/{name}.mpy": (Path(folder) / f"{name}.mpy").read_bytes() for name, _ in sources}
    else:
        files = {f"{SLOT}/{name}.py": source.read_bytes() for name, source in sources}
    return {**files, f"{SLOT}/version": version.encode()}


def last() -> dict[str, bytes]:
    """The guard, and its state: slot a is settled (edge/guard.py)."""
    state = b"a\0\0\0"
    guard = (bundle.ROOT / "edge" / "guard.py").read_bytes()
    return {STATE: state + b"%08x" % binascii.crc32(state), GUARD: guard}


def secrets(controller: Controller, *, der: bool) -> dict[str, bytes]:
    """Password, Wi-Fi and certificates as the agent reads them. Raises FlashError that names the file.

    A controller that reaches the broker through a gateway has none: the gateway has them for it.
    """
    files: dict[str, bytes] = {}
    if controller.broker is None:
        return files
    for name, path in (
        ("password", controller.password_file),
        ("wifi", controller.wifi.password_file if controller.wifi else None),
    ):
        if path is not None:
            files[name] = _line(name, path)
    for name, path in (("ca", controller.ca), ("cert", controller.cert), ("key", controller.key)):
        if path is not None:
            data = _read(name, path)
            files.update({f"{name}.der": _der(name, path, data)} if der and _is_single(data) else {f"{name}.pem": data})
    return files


def release_key(path: Path) -> bytes:
    """The public key that releases are signed for: the modulus, big-endian. Raises FlashError."""
    data = _read("release key", path)
    if len(data) < SMALLEST_KEY or not data[0] or data[:1] == b"-":
        raise FlashError(f"--release-key: {path} is no release key.", "Name the file that `pole edge release` wrote.")
    return data


def _read(what: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FlashError(
            f"The {what} of this controller cannot be read: {path}: {error.strerror}.",
            "Put the file there, or correct its name in the site file.",
        ) from None


def _line(what: str, path: Path) -> bytes:
    first = _read(what, path).split(b"\n", 1)[0].strip()
    if not first:
        raise FlashError(f"The first line of {path} is empty.", f"Write the {what} there.")
    return first


def _is_single(data: bytes) -> bool:
    return data.count(b"-----BEGIN") < 2


def _der(what: str, path: Path, data: bytes) -> bytes:
    if data[:1] == b"\x30":
        return data
    found = PEM.search(data)
    if found is None or b"ENCRYPTED" in data:
        raise FlashError(
            f"{path} holds no {what} that a controller can read.",
            "It has to be PEM or DER, and a key without a passphrase.",
        )
    try:
        if found[1] == b"CERTIFICATE":
            return ssl.PEM_cert_to_DER_cert(data[found.start() : found.end()].decode())
        return base64.b64decode(found[2], validate=False)
    except ValueError:
        raise FlashError(f"{path} is damaged.", f"Copy the {what} again.") from None
