"""SIPp (Debian's sip-tester) as a child process on loopback: a SIP stack that is not ours."""

import os
import subprocess
import time

from bench.servers import START_S
from pole.broker import free_port
from tests.parts.servers import program

# what a user agent server answers, header by header from the request
_SERVER = """<?xml version="1.0" encoding="utf-8"?>
<scenario name="an intercom that is asked for its options">
  <recv request="OPTIONS"/>
  <send><![CDATA[
SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS
Content-Length: 0

]]></send>
</scenario>
"""
_CLIENT = """<?xml version="1.0" encoding="utf-8"?>
<scenario name="somebody who asks an intercom for its options">
  <send retrans="500"><![CDATA[
OPTIONS sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Contact: <sip:sipp@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
  <recv response="{code}" timeout="2000"/>
</scenario>
"""


class SippServer:
    """Answers every OPTIONS with `status`, as "200 OK"."""

    def __init__(self, *, folder, status="200 OK"):
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._status = status
        self._process = None

    def __enter__(self):
        scenario = self.folder / "server.xml"
        scenario.write_text(_SERVER.format(status=self._status))
        with (self.folder / "sipp.log").open("ab") as log:
            self._process = subprocess.Popen(
                _command(scenario, "-p", str(self.port)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        deadline = time.monotonic() + START_S
        while not _is_bound(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"sipp did not start:\n{(self.folder / 'sipp.log').read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()


def sipp_asks(folder, address, *, calls=1, code=200):
    """Asks `address` so many times and wants that code each time -> SIPp's exit code, 0 where all came."""
    scenario = folder / "client.xml"
    scenario.write_text(_CLIENT.format(code=code))
    command = _command(scenario, address, "-m", str(calls), "-r", "100", "-p", str(free_port()), "-timeout", "10")
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, cwd=folder, timeout=30).returncode


def _command(scenario, *arguments):
    return [program("sipp"), "-sf", str(scenario), "-i", "127.0.0.1", "-nostdin", *arguments]


def _is_bound(port):
    """Whether somebody has this UDP port of 127.0.0.1."""
    wanted = f"0100007F:{port:04X}"
    if not os.path.exists("/proc/net/udp"):
        time.sleep(1.0)
        return True
    with open("/proc/net/udp", encoding="ascii") as table:
        return any(line.split()[1] == wanted for line in list(table)[1:])
