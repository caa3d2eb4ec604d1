"""Files onto a controller: cut off after each single step, it never starts half-written, and a new run mends it."""

import pytest

from pole.flash import FlashError, contents, transfer
from pole.flash.contents import Contents
from pole.flash.folder import Folder


class Cut(Exception):
    """The cable was pulled."""


class Fragile(Folder):
    """A folder whose cable is pulled after so many steps; the write under way leaves half of its `.new`."""

    def __init__(self, path, *, steps):
        super().__init__(path)
        self.left = steps

    def _step(self):
        if self.left == 0:
            raise Cut
        self.left -= 1

    def write(self, name, data, *, private=False):
        if self.left == 0:
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / f"{name}.new").write_bytes(data[: len(data) // 2])
        self._step()
        super().write(name, data, private=private)

    def remove(self, name):
        self._step()
        super().remove(name)


def wanted(version, *, key=b"k1"):
    code = {f"a/edge/m{number}.mpy": f"{version} {number}".encode() for number in range(4)}
    if version == "1":
        code["a/edge/old.mpy"] = b"old"
    part = {"config.json": version.encode(), **({"release.key": b"r"} if version == "1" else {})}
    return Contents(
        {**code, "a/version": version.encode()}, part, {"password": key}, {"slot": b"a", "main.py": b"guard"}
    )


def flash(target, content):
    transfer.carry_out(target, content, transfer.plan(target, content, force=False), lambda size: None)
    transfer.finish(target, content)


def held(folder):
    return {name: (folder / name).read_bytes() for name in Folder(folder).files("")}


@pytest.mark.parametrize("begin", ["bare", "older", "same code, another password"])
def test_a_cut_after_every_step(tmp_path, begin):
    second = wanted("2")
    whole = {**second.files, **second.last}
    for steps in range(100):
        folder = tmp_path / str(steps)
        folder.mkdir()
        if begin == "older":
            flash(Folder(folder), wanted("1"))
        elif begin != "bare":
            flash(Folder(folder), wanted("2", key=b"k0"))
        (folder / "journal").write_bytes(b"readings")
        try:
            flash(Fragile(folder, steps=steps), second)
        except Cut:
            there = held(folder)
            starts = there.get("main.py") == b"guard"
            assert not starts or there.items() >= whole.items() or steps == 0, steps
            slot = {name: data for name, data in there.items() if name.startswith("a/") and not name.endswith(".new")}
            assert "a/version" not in slot or slot in (second.code, wanted("1").code), steps
            flash(Folder(folder), second)
            is_last = False
        else:
            is_last = True
        there = held(folder)
        assert {name: data for name, data in there.items() if not name.endswith(".new")} == {
            **whole, "journal": b"readings",
        }, steps  # fmt: skip
        assert not any(name.startswith("a/") and name.endswith(".new") for name in there)
        if is_last:
            break
    assert is_last
    assert steps >= 3  # the guard away, one file, the guard back


def test_what_is_right_is_not_written_again(tmp_path):
    flash(Folder(tmp_path), wanted("2"))
    target = Fragile(tmp_path, steps=0)
    flash(target, wanted("2"))
    plan = transfer.plan(target, wanted("2"), force=True)
    assert (len(plan.write), plan.kept) == (len(wanted("2").files), [])


def test_a_file_that_arrives_damaged_is_told(tmp_path):
    class Damaging(Folder):
        def write(self, name, data, *, private=False):
            super().write(name, data.replace(b"2", b"3"), private=private)

    with pytest.raises(FlashError, match="is not on the controller as it was sent"):
        flash(Damaging(tmp_path), wanted("2"))


def test_the_agents_own_files_say_when_they_are_whole():
    code = contents.code("simulated", "1.2.3", compiled=True)
    assert code["a/version"] == b"1.2.3"
    assert list(code)[-1] == "a/version"
    assert all(
        name.startswith(("a/edge/", "a/wire/")) and data[:2] == b"M\x06" for name, data in list(code.items())[:-1]
    )
    assert {name.rpartition(".")[2] for name in contents.code("linux", "1", compiled=False)} == {"py", "a/version"}
