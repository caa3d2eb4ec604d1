"""A real gateway process on a line of controllers."""

import signal
import subprocess
import sys

import yaml

from tests.gateway.controllers.city import AREA


class Gateway:
    """`pole gateway run` on a site with one line of controllers: node -> (address, its end of the line)."""

    def __init__(self, folder, broker, line, controllers):
        self.site = folder / "site.yaml"
        self.log = folder / "gateway.log"
        for user in ("gw-1", *controllers):
            (folder / f"{user}.password").write_text(broker.passwords[user])
        self.content = {
            "area": AREA,
            "gateways": {
                "gw-1": {"broker": f"mqtt://127.0.0.1:{broker.port}", "password_file": "gw-1.password", "pole": "P0"}
            },
            "poles": {"P0": {"position": [30.6, 104.0]}, "P1": {"position": [30.6, 104.1]}},
            "buses": {"line": {"protocol": "controllers", "port": line.path("gateway")}},
            "controllers": {
                node: {
                    "board": "simulated", "pole": "P1", "through": "line", "address": address, "uart": "up",
                    "uarts": {"up": {"port": line.path(end)}}, "password_file": f"{node}.password",
                }
                for node, (address, end) in controllers.items()
            },
            "devices": [],
        }  # fmt: skip
        self.process = None
        self.write(self.content)

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def write(self, content):
        """The site file, as a whole at once."""
        new = self.site.with_suffix(".new")
        new.write_text(yaml.safe_dump(content))
        new.rename(self.site)

    def change(self, content):
        """The site is another one, and the gateway is told."""
        self.write(content)
        self.process.send_signal(signal.SIGHUP)

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pole", "gateway", "run", str(self.site)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self):
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.log.read_text()[-3000:]
