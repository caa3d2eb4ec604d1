"""A Linux controller: agent, identity, site part, account and service into this machine, or into an image's folder."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from device_profiles import loader
from pole.edge import systemd
from pole.flash import FlashError, transfer
from pole.flash.checks import Checks
from pole.flash.folder import Folder, LocalPython
from pole.flash.order import Prepared, prepare
from pole.flash.sheet import Sheet
from pole.flash.steps import Step, Steps

OLDEST = (3, 11)
MAKE_USER = f"Make it (useradd --system --home-dir {systemd.STATE} {systemd.USER}), then run again."
AS_ROOT = "Run as root (sudo), or into a folder with --root."


@dataclass(frozen=True)
class Order:
    """The words of the command line. root: where the system's files are; starts: whether its service is for now."""

    root: Path
    python: str
    tests: bool
    force: bool
    dry_run: bool
    engineer: str

    @property
    def is_here(self) -> bool:
        """Whether it is the running system."""
        return self.root == Path("/")


def carry_out(
    order: Order, steps: Steps, *, site: Path, pole: str, node: str | None, release_key: Path | None
) -> Sheet:
    """Raises FlashError, and FileProblem where the site file is wrong."""
    with steps.step("site", "reading the site file") as step:
        if order.is_here and not order.dry_run and os.geteuid():
            raise FlashError("Only root may set up this machine.", AS_ROOT)
        prepared = prepare(site, pole=pole, node=node, board="linux", release_key=release_key, compiled=False)
        found = _python(order) if order.is_here else "not looked at"
        step.said = f"{prepared.node} on {prepared.controller.pole}, {len(prepared.contents.files)} files"
    _account(order, steps)
    unit = systemd.unit_name(prepared.node)
    folder = Folder(_below(order.root, systemd.STATE / prepared.node), owner=_owner(order))
    with _stopped(order, steps, unit):
        _files(order, steps, folder, prepared)
        _service(order, steps, prepared)
        sheet = _sheet(order, prepared, found)
        if order.tests:
            _self_test(order, steps, folder, prepared, sheet)
    return sheet


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _python(order: Order) -> str:
    said = LocalPython(python=order.python).run("import sys; print('%d.%d.%d' % sys.version_info[:3])").strip()
    if tuple(int(each) for each in said.split(".")[:2]) < OLDEST:
        raise FlashError(f"--python {order.python} is {said}; the agent needs 3.11 or newer.", "Install a newer one.")
    return said


def _owner(order: Order) -> tuple[int, int] | None:
    return systemd.identity(order.root) if os.geteuid() == 0 else None


def _account(order: Order, steps: Steps) -> None:
    path = order.root / "etc/sysusers.d/multipole.conf"
    text = systemd.account(systemd.groups_of(order.root))
    can = order.is_here or (shutil.which("systemd-sysusers") is not None and os.geteuid() == 0)
    with steps.step("account", "making the account") as step:
        if _same(path, text) and (systemd.identity(order.root) or not can) and not order.force:
            step.state, step.said = "skipped", f"{path} is there already"
            return
        if order.dry_run:
            step.state, step.said = "skipped", f"would write {path} and make the user {systemd.USER}"
            return
        _write(path, text)
        if can:
            where = [] if order.is_here else [f"--root={order.root}"]
            systemd.call("systemd-sysusers", *where, "multipole.conf", remedy=MAKE_USER)
            step.said = f"made {systemd.USER}"
        else:  # the files become the user's with the first start (StateDirectory)
            step.said = f"wrote {path}: run systemd-sysusers in that system before its first start"


@contextlib.contextmanager
def _stopped(order: Order, steps: Steps, unit: str) -> Iterator[None]:
    """The agent does not run while its files change and its bus is tested; it is started again whatever happens."""
    runs = order.is_here and not order.dry_run and systemd.BOOTED.exists()
    if runs:
        with contextlib.suppress(FlashError):  # it was never there
            systemd.call("systemctl", "stop", unit, remedy=AS_ROOT)
    try:
        yield
    finally:
        if runs and _below(order.root, Path("/etc/systemd/system") / unit).exists():
            with steps.step("start", "starting the agent") as step:
                systemd.call("systemctl", "start", unit, remedy=f"Look at: journalctl -u {unit}")
                step.said = f"{unit} runs"


def _files(order: Order, steps: Steps, folder: Folder, prepared: Prepared) -> None:
    with steps.step("files", "comparing, then copying files") as step:
        wanted = transfer.plan(folder, prepared.contents, force=order.force)
        if order.dry_run:
            _tell_plan(steps, step, folder, wanted)
            return
        steps.total(wanted.bytes)
        transfer.carry_out(folder, prepared.contents, wanted, steps.advance)
        transfer.finish(folder, prepared.contents)
        step.said = f"{wanted} in {folder.path}"
        step.state = "done" if wanted.write or wanted.remove else "skipped"


def _tell_plan(steps: Steps, step: Step, folder: Folder, wanted: transfer.Plan) -> None:
    for name in wanted.write:
        steps.say(f"would write {folder.path / name}")
    for name in wanted.remove:
        steps.say(f"would remove {folder.path / name}")
    step.state = "skipped"
    step.said = f"would write {len(wanted.write)} files ({wanted.bytes} bytes); {len(wanted.kept)} are right already"


def _service(order: Order, steps: Steps, prepared: Prepared) -> None:
    name = systemd.unit_name(prepared.node)
    path = order.root / "etc/systemd/system" / name
    text = systemd.unit(
        node=prepared.node, pole=prepared.controller.pole, python=order.python, groups=systemd.groups_of(order.root),
        has_pwm=bool(prepared.config["pwms"]),
    )  # fmt: skip
    with steps.step("service", "writing the service") as step:
        if order.dry_run:
            step.state, step.said = "skipped", f"{'is right already' if _same(path, text) else 'would write'}: {path}"
            return
        is_new = order.force or not _same(path, text)
        if is_new:
            _write(path, text)
        if is_new and order.is_here and shutil.which("systemd-analyze"):
            try:
                systemd.call("systemd-analyze", "verify", str(path), remedy="")
            except FlashError as error:  # it also speaks of other units, and those are not ours to judge
                steps.say(error.reason)
        _enable(order, name)
        step.state, step.said = "done" if is_new else "skipped", f"{path}, enabled"


def _enable(order: Order, name: str) -> None:
    if not order.is_here:
        link = order.root / "etc/systemd/system/multi-user.target.wants" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(Path("/etc/systemd/system") / name)
        return
    systemd.call("systemctl", "enable", name, remedy=AS_ROOT)
    if systemd.BOOTED.exists():
        systemd.call("systemctl", "daemon-reload", remedy=AS_ROOT)


def _same(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except OSError:
        return False


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FlashError(f"{path} cannot be written: {error.strerror}.", AS_ROOT) from None


def _sheet(order: Order, prepared: Prepared, python: str) -> Sheet:
    facts = {
        **prepared.facts(), "python": f"{order.python} {python}", "machine": os.uname().nodename,
        "board_id": _machine_id(order.root), "engineer": order.engineer,
        "date": f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}", "tool": f"multipole {version('multipole')}",
    }  # fmt: skip
    return Sheet(facts)


def _machine_id(root: Path) -> str:
    try:
        return (root / "etc/machine-id").read_text(encoding="ascii").strip()[:16] or "none yet"
    except OSError:
        return "none yet"


def _self_test(order: Order, steps: Steps, folder: Folder, prepared: Prepared, sheet: Sheet) -> None:
    user = systemd.identity(order.root) if order.is_here else None
    identity = {"user": user[0], "group": user[1], "extra_groups": systemd.groups_of(Path("/"))} if user else None
    with steps.step("self-test", "testing") as step:
        checks = Checks(
            runner=LocalPython(python=order.python if order.is_here else sys.executable, identity=identity),
            folder=str(folder.path), config=prepared.config, sources=prepared.sources, profiles=loader.profiles(),
            utc_ms=lambda: time.time_ns() // 1_000_000, sets_clock=False,
        )  # fmt: skip
        checks.all(steps, step, sheet)
