"""Debian's snmpd as a child process on loopback: an SNMP agent that is not ours."""

import os
import subprocess
import time

from bench.servers import START_S
from pole.broker import free_port
from tests.parts.servers import program

USER, PASSWORD, PRIVACY = "gateway", "authentic-secret", "private-secret"
COMMUNITY = "light-pole"


class Snmpd:
    """Version 2c by COMMUNITY, version 3 by USER (SHA-256, AES). `identity` is the engine's, kept over restarts."""

    def __init__(self, *, folder, identity=""):
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.identity = identity
        self._process = None

    def start(self):
        """Start, and return when it answers."""
        path = program("snmpd")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "snmpd.conf").write_text(
            f"agentAddress udp:{self.address}\n"
            f"rocommunity {COMMUNITY} 127.0.0.1\n"
            f"rouser {USER} priv\n"
            f'createUser {USER} SHA-256 "{PASSWORD}" AES "{PRIVACY}"\n'
            "sysName P0001-ap\n" + (f"engineID {self.identity}\n" if self.identity else "")
        )
        command = [path, "-f", "-Lf", str(self.folder / "log"), "-C", "-c", str(self.folder / "snmpd.conf"), "-m", ""]
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self._environment()
            )
        deadline = time.monotonic() + START_S
        while "P0001" not in self.get("1.3.6.1.2.1.1.5.0", check=False):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"snmpd did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self):
        """SIGKILL, and wait."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def get(self, *oids, check=True):
        """What snmpget prints."""
        return snmp_tool("snmpget", "-v2c", "-c", COMMUNITY, self.address, *oids, check=check)

    def _environment(self):
        return os.environ | {"SNMP_PERSISTENT_DIR": str(self.folder), "SNMPCONFPATH": str(self.folder)}


def snmp_tool(name, *arguments, check=True):
    """Runs one of net-snmp's tools -> what it printed, errors too; OIDs in digits, one try of a second."""
    command = [program(name), "-m", "", "-On", "-r", "0", "-t", "1", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, env=os.environ | {"SNMPCONFPATH": "/nonexistent"}
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout + done.stderr
