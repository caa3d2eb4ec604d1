"""Short names change nothing but names: what they stood for is the same, and what others use keeps its name."""

import ast
import sys
import types

import pytest

from pole.edge import bundle
from pole.edge.shorten import shorten

MODULE = '''"""A module."""

_LIMIT = 3
_seen = []


def _count(number, other=1):
    return number + other + _LIMIT


class Base:
    def __init__(self, board):
        self._board = board
        self.open = 1

    def _look(self, what):
        return (self._board, what)


def told(value, *, loud=False):
    total = _count(value, other=2)
    _seen.append(total)
    return total if loud else [each for each in (value, total)]
'''
CHILD = """from a import Base


class Child(Base):
    def __init__(self, board, wait):
        Base.__init__(self, board)
        self._wait = wait

    def both(self):
        return self._look(self._wait), [lambda wait: wait + self._wait]
"""


def run(sources):
    """The modules, imported in their order."""
    modules = {}
    for name, source in sources.items():
        sys.modules[name] = modules[name] = types.ModuleType(name)
        exec(compile(source, name, "exec"), modules[name].__dict__)
    for name in sources:
        del sys.modules[name]
    return modules


def test_short_modules_do_the_same():
    short = shorten({"a": MODULE, "b": CHILD})
    for sources in ({"a": MODULE, "b": CHILD}, short):
        modules = run(sources)
        assert modules["a"].told(4) == [4, 9]
        assert modules["a"].told(4, loud=True) == 9
        child = modules["b"].Child("board", 7)
        first, (second,) = child.both()
        assert (first, second(1)) == (("board", 7), 8)


def test_private_names_are_gone_and_lines_stay():
    short = shorten({"a": MODULE, "b": CHILD})
    for name in ("_count", "_seen", "_look", "_board", "_wait", "number"):
        assert name not in short["a"] + short["b"].replace("wait: wait", ""), name
    for name in ("told", "loud", "other", "open", "Base", "both"):
        assert name in short["a"] + short["b"]
    assert [short[name].count("\n") for name in "ab"] == [MODULE.count("\n"), CHILD.count("\n")]


def test_two_attributes_of_one_object_never_get_one_name():
    short = shorten({"a": MODULE, "b": CHILD})
    child = run(short)["b"].Child("board", 7)
    assert sorted(map(str, vars(child).values())) == ["1", "7", "board"]


def test_what_others_use_keeps_its_name():
    short = shorten({"a": MODULE}, users=["import a\na.Base(1)._look(2)\na._count(number=1)\n"])
    assert "def _look" in short["a"]
    assert "def _count(number" in short["a"]


@pytest.mark.parametrize("board", bundle.BOARDS)
def test_every_board_stays_valid(board):
    sources = {name: path.read_text() for name, path in bundle.modules(board)}
    short = shorten(sources)
    assert short.keys() == sources.keys()
    for name, source in short.items():
        before, after = ast.parse(sources[name]), ast.parse(source)
        assert [type(each) for each in ast.walk(before)] == [type(each) for each in ast.walk(after)], name
    assert sum(map(len, short.values())) < sum(map(len, sources.values()))
