"""The journal on all interpreters, and what becomes of it when its process is killed."""

import pytest

from tests.edge.journal_folder import folder  # noqa: F401


def test_cases(interpreter, folder):  # noqa: F811
    assert "ran 18" in interpreter.run("journal", folder=folder)


def test_sending(interpreter, folder):  # noqa: F811
    assert "ran 9" in interpreter.run("journal_sending", folder=folder)


@pytest.mark.parametrize("interpreter", ["micropython", "micropython32"], indirect=True)
def test_others_fill_the_disk(interpreter):
    interpreter.command[-1] = "heapsize=512K"
    assert "ran 2" in interpreter.run("journal_full")
