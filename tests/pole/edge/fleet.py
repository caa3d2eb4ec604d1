"""A fleet of controllers: each a process with the real guard and the real agent, started anew whenever it ends.

Their waits are short, and their hardware is a file that says whether a cover is open. Their releases are the agent of
this repository, or one with something changed in it.
"""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import aiomqtt
import yaml

from device_profiles import controller_part, loader, site
from pole.edge import bundle, release
from tests.edge import controller

SHORT = {  # in the agent's own sources
    "edge/session": ("STATUS_MS = 60_000", "STATUS_MS = 700"),
    "edge/agent": ("OWN_MS = 60_000", "OWN_MS = 500"),
}
UNIT_S = 5  # of a trial; in the guards of these controllers it is a second


def agent(change=()):
    """The files of a slot. change: (module, old, new) in the sources."""
    changes = [(name, *pair) for name, pair in SHORT.items()] + list(change)
    with tempfile.TemporaryDirectory() as name:
        folder, sources = Path(name), []
        for name, source in bundle.modules("simulated"):
            text = source.read_text()
            for module, old, new in changes:
                if module == name:
                    assert old in text, (module, old)
                    text = text.replace(old, new)
            path = folder / "sources" / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            sources.append((name, path))
        bundle.build(folder, sources)
        return {f"{name}.mpy": (folder / f"{name}.mpy").read_bytes() for name, _ in sources}


class Fleet:
    """Controllers AREA-1 to AREA-N. Use it as `async with`: then they run."""

    def __init__(self, folder, broker, signed, interpreters, *, area):
        self.folder, self.area, self.broker, self.signed = folder, area, broker, signed
        self.names = [f"{area}-{number}" for number in range(1, len(interpreters) + 1)]
        self.interpreters = dict(zip(self.names, interpreters, strict=True))
        self.processes = {}
        self.starts = dict.fromkeys(self.names, 0)

    def flash(self, files, version="0.1.0"):
        found = self._site()
        for name in self.names:
            root = self.folder / name
            for path, data in {
                **controller_part.part(found, name, loader.profiles()),
                **{f"a/{path}": data for path, data in files.items()},
                "a/version": version.encode(),
                "release.key": (self.signed.folder / "release.key").read_bytes(),
                "password": self.broker.passwords[name].encode(),
                "pins/cover": b"0",
            }.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(data)
            controller.install(root, self.interpreters[name])

    def _site(self):
        path = self.folder / f"{self.area}.yaml"
        url = f"mqtt://127.0.0.1:{self.broker.port}"
        (self.folder / "node.password").write_text("in the controller's own file")
        path.write_text(yaml.safe_dump({
            "area": self.area,
            "controllers": {
                name: {"board": "simulated", "pole": name.upper(), "broker": url, "password_file": "node.password",
                       "pins": {"cover": {"pin": 1}}} for name in self.names
            },
            "poles": {name.upper(): {"position": [30.64, 104.04]} for name in self.names},
            "buses": {f"pins-{name}": {"protocol": "wired", "controller": name} for name in self.names},
            "devices": [
                {"pole": name.upper(), "device": "cover-1", "profile": "cover-contact", "bus": f"pins-{name}",
                 "pin": "cover"} for name in self.names
            ],
        }))  # fmt: skip
        return site.load(path)

    async def __aenter__(self):
        self._tasks = [asyncio.create_task(self._keep(name)) for name in self.names]
        return self

    async def __aexit__(self, *_):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, name):
        """Hardware: whatever ends it, it starts again."""
        with (self.folder / f"{name}.log").open("ab") as log:
            while True:
                process = await asyncio.create_subprocess_exec(
                    *self.interpreters[name].command, self.folder / name / "main.py",
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
                self.processes[name] = process
                self.starts[name] += 1
                try:
                    await process.wait()
                    await asyncio.sleep(0.05)
                except asyncio.CancelledError:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
                    raise

    async def cut_power(self, pause):
        """Kills each controller once, in any order: three times in one trial would be a release that failed."""
        for name in random.sample(self.names, len(self.names)):
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            with contextlib.suppress(ProcessLookupError):
                self.processes[name].kill()

    def version(self, name):
        """(what the guard would start, its state: letter, trial, count, failed)."""
        guard = controller.guard(self.folder / name)
        return guard.version(guard.slot()), (chr(guard.state[0]), *guard.state[1:])

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()


class Store:
    """Plays ingest: what comes is stored at once. statuses: the last one of each node."""

    def __init__(self, broker):
        self._broker = broker
        self.statuses = {}

    async def __aenter__(self):
        self._ready = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        await asyncio.wait_for(self._ready.wait(), 20)
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def until(self, holds, seconds=60):
        """Waits until holds(statuses)."""
        async with asyncio.timeout(seconds):
            while not holds(self.statuses):
                await asyncio.sleep(0.1)

    async def _run(self):
        async with aiomqtt.Client(
            "127.0.0.1", self._broker.port, username="ingest", password=self._broker.passwords["ingest"]
        ) as client:
            await client.subscribe("poles/+/+/up/#", qos=1)
            self._ready.set()
            async for heard in client.messages:
                _, area, node, _, channel = str(heard.topic).split("/")
                if channel == "status":
                    self.statuses[node] = json.loads(heard.payload)
                elif channel in ("telemetry", "event", "backfill"):
                    first = json.loads(heard.payload)[0]
                    stored = {"ep": first["ep"], "sq": [[first["sq"], first["sq"]]]}
                    await client.publish(f"poles/{area}/{node}/down/stored", json.dumps(stored))


class Rollout:
    """`pole edge update` as an operator runs it. said: the last JSON document."""

    def __init__(self, broker, folder):
        self._broker, self._folder = broker, folder
        (folder / "operator.password").write_text(broker.passwords["operator"])

    async def start(self, area, path, *options):
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pole", "edge", "update", area, "--release", path, "--json", *options,
            "--broker", self._broker.url("operator"), "--password-file", self._folder / "operator.password",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def end(self, process, seconds=120):
        """(exit code, what it said)."""
        out, err = await asyncio.wait_for(process.communicate(), seconds)
        assert b"Traceback" not in err, err.decode()
        return process.returncode, json.loads(out or err)

    async def run(self, *words):
        return await self.end(await self.start(*words))


def build(signer, path, files, version, trial):
    """Writes a release's file. trial: seconds of the guards here."""
    promise = release.Promise(version=version, board="simulated", minimum="0.1.0", trial=trial * UNIT_S)
    release.sign(signer.key, files, promise).write(path)
    return path
