"""Every key of a good file, taken away or given a foolish value: the file loads, or is refused in whole sentences."""

import copy
import importlib.util
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from device_profiles import loader, site
from device_profiles.problems import FileProblem

FOOLISH: list[Any] = [
    None, "x", "", -1, 0, 7, 1e308, True, [], {}, [1], [1, 2, 3], {"a": 1}, float("nan"), "5s", "北", [[[]]], 2**70,
]  # fmt: skip
# Words of pydantic and Python that a field engineer should never read.
FOREIGN = ("Input should", "pydantic", "Traceback", "found using", "NoneType", "validation error")


def good(module: str) -> str:
    """The unbroken file that another test module starts from."""
    spec = importlib.util.spec_from_file_location(module, Path(__file__).with_name(f"{module}.py"))
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return str(found.GOOD)


def mutations(node: Any) -> Iterator[Any]:
    """The document with one place changed, for each place and each change."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        without = copy.copy(node)
        del without[key]
        yield without
        for value in [*FOOLISH, *mutations(node[key])]:
            changed = copy.copy(node)
            changed[key] = value
            yield changed


@pytest.mark.parametrize(
    ("module", "name", "load", "each"),
    [
        ("test_problems", "demo.yaml", loader.load, 1),
        ("test_site", "site.yaml", site.load, 1),
        ("test_controllers", "site.yaml", site.load, 5),  # one of so many: all take half a minute
    ],
    ids=["profile", "site", "controllers"],
)
def test_a_foolish_file_is_refused_in_words(
    tmp_path: Path, module: str, name: str, load: Callable[[Path], object], each: int
) -> None:
    path = tmp_path / name
    refused = 0
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    for document in itertools.islice(mutations(yaml.safe_load(good(module))), 0, None, each):
        path.write_text(yaml.dump(document, Dumper=dumper, allow_unicode=True, sort_keys=False), "utf-8")
        try:
            load(path)
        except FileProblem as problem:
            refused += 1
            for text in problem.messages:
                said = text.removeprefix(str(path))
                assert said[:1] == ":"
                assert "\n" not in said
                assert len(said) < 600
                assert said[-1] in ".?"
                assert not [word for word in FOREIGN if word in said], said
    assert refused > 500
