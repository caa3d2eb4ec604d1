"""Small files on an ordinary file system."""

import os

from edge import disk


def test_saved_is_loaded(args):
    path = args["folder"] + "/a"
    assert disk.load(path) is None
    disk.save(path, b"one")
    assert disk.load(path) == b"one"
    disk.save(path, bytes(range(256)) * 9)
    assert disk.load(path) == bytes(range(256)) * 9
    assert os.listdir(args["folder"]).count("a.new") == 0


def test_a_damaged_byte_is_noticed(args):
    path = args["folder"] + "/b"
    disk.save(path, b"settings")
    with open(path, "rb") as file:
        whole = file.read()
    for at in range(len(whole)):
        for damaged in (whole[:at] + bytes((whole[at] ^ 4,)) + whole[at + 1 :], whole[:at]):
            with open(path, "wb") as file:
                file.write(damaged)
            assert disk.load(path) is None, (at, damaged)


def test_the_new_file_stands_in_for_the_old_one(args):
    path = args["folder"] + "/c"
    disk.save(path, b"new")
    os.rename(path, path + ".new")
    assert disk.load(path) == b"new"
    with open(path, "wb") as file:
        file.write(b"ruin")
    assert disk.load(path) == b"new"


def test_zeros_are_nothing(args):
    for size in (0, 1, 4, 5, 8, 100):
        with open(args["folder"] + "/zeros", "wb") as file:
            file.write(bytes(size))
        assert disk.load(args["folder"] + "/zeros") is None, size
