"""A controller's root folder for tests: the guard as main.py, with short waits, and what its board brings along."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from edge.guard import Guard
from pole.edge import bundle, release

HERE = Path(__file__).resolve().parent


def install(root, interpreter):
    text = (bundle.ROOT / "edge" / "guard.py").read_text()
    for name, value in (("UNIT_S", 1), ("PAUSE_S", 0)):
        old = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
        text = text.replace(old, f"{name} = {value}")
    (root / "main.py").write_text(text)
    if not interpreter.is_cpython:
        board(root)


def board(folder):
    """What a MicroPython of the unix port lacks to be a board."""
    (folder / "machine.py").write_bytes((bundle.ROOT / "simulators" / "unix_machine.py").read_bytes())


def guard(root):
    """The state as the next start finds it."""
    return Guard(f"{root}/")


def guard_without(root, name):
    (root / name).unlink()
    return guard(root)


def cut(root, interpreter, line):
    """Starts it, and cuts the power when it has printed the line."""
    command = [*interpreter.command, *(["-u"] if interpreter.is_cpython else []), root / "main.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for text in process.stdout:
            if text.strip() == line:
                process.kill()
                break
        else:
            sys.exit(f"{line!r} was never printed")


FILES = {
    "edge/__init__.py": b"",
    "edge/boards/__init__.py": b"# nothing\n",
    "edge/main.py": b"x = 1\n" * 800,
    "edge/agent.mpy": bytes(range(256)) * 30,
    "wire/__init__.py": b"VERSION = 1\n",
    "wire/a.py": b"",
    "wire/b.py": b"b" * 512,
}


def compiled(folder, modules, cases):
    """These modules and cases alone, as .mpy."""
    bundle.build(folder, [(name, path) for name, path in bundle.modules() if name in modules])
    sources = [(f"cases/{name}", HERE.parent / "cases" / f"{name}.py") for name in cases]
    bundle.build(folder, sources, assertions=True)
    board(folder)


class Signed:
    """A folder with a key, and what is signed with it: NAME.payload and NAME.blob."""

    def __init__(self, folder):
        self.folder = folder
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        folder.mkdir(exist_ok=True)
        (folder / "release.key").write_bytes(release.modulus(self.key))

    def add(self, name, files=FILES, *, version="0.2.0", board="esp32", minimum="0.1.0", trial=600):
        promise = release.Promise(version=version, board=board, minimum=minimum, trial=trial)
        made = release.sign(self.key, files, promise)
        self.put(name, made.payload, made.blob)
        return made

    def put(self, name, payload, blob=b""):
        (self.folder / f"{name}.payload").write_bytes(payload)
        (self.folder / f"{name}.blob").write_bytes(blob)
        (self.folder / f"{name}.tag").write_text(hashlib.sha256(blob).hexdigest()[:8])

    def manifest(self, name, text, blob=b""):
        """Signs whatever text is given."""
        signature = self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        self.put(name, base64.b64encode(signature) + b"\n" + text, blob)

    def blob(self, name, blob):
        """Signs whatever blob is given, as 0.2.0 for esp32."""
        manifest = {
            "version": "0.2.0",
            "board": "esp32",
            "size": len(blob),
            "minimum": "0.0.0",
            "room": 1,
            "trial": 600,
        }
        self.manifest(name, json.dumps({**manifest, "sha256": hashlib.sha256(blob).hexdigest()}).encode(), blob)
