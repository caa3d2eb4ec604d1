"""The service and the account of a Linux controller. Directives: systemd.exec(5), systemd.service(5), sysusers.d(5)."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from pole.flash import FlashError

USER = "multipole"
GROUPS = ("dialout", "gpio", "i2c", "spi")  # who may use ports and pins, on Debian and Raspberry Pi OS
STATE = Path("/var/lib/multipole")
BOOTED = Path("/run/systemd/system")  # sd_booted(3)
WATCHDOG_S = 60
PATIENCE_S = 60.0

UNIT = """\
# Written by `pole edge install`; changes are lost. Put yours into {name}.d/local.conf
[Unit]
Description=Multipole controller {node} of pole {pole}
# It waits for no network: the lamp follows its schedule without one
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart={python} -B {folder}/main.py
# Why it ended stands in its next birth (edge/boards/linux.py), unless the agent wrote that itself
ExecStopPost=/bin/sh -c 'test -s {folder}/reset || echo "$$SERVICE_RESULT" > {folder}/reset'
User={user}
{groups}StateDirectory=multipole/{node}
StateDirectoryMode=0750
UMask=0027
Restart=always
RestartSec=2
# The agent feeds it only while every part of it is alive
WatchdogSec={watchdog}
NotifyAccess=main
WatchdogSignal=SIGKILL
TimeoutStopSec=15
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateMounts=yes
ProtectProc=invisible
ProtectKernelTunables={tunables}
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectClock=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
DevicePolicy=closed
{devices}
[Install]
WantedBy=multi-user.target
"""
DEVICES = (
    "char-ttyS", "char-ttyUSB", "char-ttyACM", "char-ttyAMA", "char-pts", "char-gpiochip", "char-i2c",
)  # fmt: skip
ACCOUNT = """\
# Written by `pole edge install`
u {user} - "Multipole controller" {state} -
{members}"""


def unit_name(node: str) -> str:
    return f"multipole-{node}.service"


def unit(*, node: str, pole: str, python: str, groups: Sequence[str], has_pwm: bool) -> str:
    """The service of one controller. has_pwm: a PWM is written through /sys, which is read-only otherwise."""
    return UNIT.format(
        name=unit_name(node), node=node, pole=pole, python=python, user=USER, folder=STATE / node,
        watchdog=WATCHDOG_S, tunables="no" if has_pwm else "yes",
        groups=f"SupplementaryGroups={' '.join(groups)}\n" if groups else "",
        devices="".join(f"DeviceAllow={device} rw\n" for device in DEVICES),
    )  # fmt: skip


def account(groups: Sequence[str]) -> str:
    """The user, for systemd-sysusers."""
    members = "".join(f"m {USER} {group}\n" for group in groups)
    return ACCOUNT.format(user=USER, state=STATE, members=members)


def groups_of(root: Path) -> list[str]:
    """Which of GROUPS the system under root has: one that it lacks would keep the service from starting."""
    try:
        rows = (root / "etc/group").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    there = {row.split(":")[0] for row in rows}
    return [group for group in GROUPS if group in there]


def identity(root: Path) -> tuple[int, int] | None:
    """(user, group) of the account in the system under root."""
    try:
        rows = (root / "etc/passwd").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for row in rows:
        name, _, user, group, *_ = row.split(":")
        if name == USER:
            return int(user), int(group)
    return None


def call(*words: str, remedy: str) -> str:
    """Runs one of systemd's commands. Raises FlashError with its own words."""
    try:
        run = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except FileNotFoundError:
        raise FlashError(f"{words[0]} is not here.", remedy) from None
    except subprocess.TimeoutExpired:
        raise FlashError(f"`{' '.join(words)}` took more than {PATIENCE_S:.0f} s.", remedy) from None
    if run.returncode:
        said = run.stderr.strip() or run.stdout.strip()
        raise FlashError(f"`{' '.join(words)}` failed: {said}", remedy)
    return run.stdout + run.stderr
