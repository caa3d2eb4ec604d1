"""Every board has the same methods with the same arguments: by their source, because no machine can import them all."""

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "edge" / "boards"
BOARDS = ("esp32", "rp2", "linux", "simulated")


def classes(module):
    tree = ast.parse((FOLDER / f"{module}.py").read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def methods(module, name):
    """name -> (is async, arguments) of what others may call, with what the class inherits from chip.py."""
    found = {}
    for base in classes(module)[name].bases:
        assert ast.unparse(base) == f"chip.{name}"
        found |= methods("chip", name)
    for node in classes(module)[name].body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            asynchronous = isinstance(node, ast.AsyncFunctionDef)
            found[node.name] = (asynchronous, [argument.arg for argument in node.args.args])
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in found:
            found[node.targets[0].id] = found[node.value.id]  # adc = input
    return {name: arguments for name, arguments in found.items() if name == "__init__" or name[0] != "_"}


@pytest.mark.parametrize("board", BOARDS)
def test_boards_are_alike(board):
    interface = {
        "__init__": (False, ["self", "config", "folder"]),
        "ms": (False, ["self"]),
        "utc_ms": (False, ["self"]),
        "set_utc_ms": (False, ["self", "ms"]),
        "uart": (False, ["self", "name"]),
        "input": (False, ["self", "name"]),
        "on_change": (False, ["self", "name", "function"]),
        "output": (False, ["self", "name"]),
        "pwm": (False, ["self", "name"]),
        "adc": (False, ["self", "name"]),
        "i2c": (False, ["self", "name"]),
        "watchdog": (False, ["self"]),
        "reset": (False, ["self"]),
        "reset_cause": (False, ["self"]),
        "memory_free": (False, ["self"]),
        "network": (True, ["self"]),
    }
    assert methods(board, "Board") == interface


@pytest.mark.parametrize("module", ["chip", "linux"])
def test_uarts_are_alike(module):
    assert methods(module, "Uart") == {
        "__init__": (False, ["self", "config"]),
        "write": (False, ["self", "data"]),
        "read_into": (False, ["self", "buffer"]),
        "clear": (False, ["self"]),
    }


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_says_its_name(board):
    names = [
        ast.literal_eval(node.value)
        for node in classes(board)["Board"].body
        if isinstance(node, ast.Assign) and node.targets[0].id == "name"
    ]
    assert names == [board]
