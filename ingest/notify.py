"""What systemd is told: that we work, what we wait for, and that we are alive (sd_notify(3), systemd.service(5))."""

import os
import socket
import time

EVERY_S = 1.0


class Notify:
    """Without a service manager that listens, each call does nothing."""

    def __init__(self, address: str | None = None) -> None:
        """address: the socket; by default what $NOTIFY_SOCKET names."""
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._due = 0.0

    def ready(self) -> None:
        """Started: what is still waited for, the status says."""
        self._send("READY=1")

    def alive(self, waiting_for: list[str]) -> None:
        """Feeds the watchdog, and says what is waited for; once a second, however often it is called."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + EVERY_S
            status = "; ".join(waiting_for).replace("\n", " ")[:500] or "working"
            self._send(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if self._address:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                    out.setblocking(False)
                    out.sendto(text.encode(), self._address)
            except OSError:
                self._due = 0.0  # nobody reads at the moment; the watchdog's time is longer than that
