"""What the journal costs: the heap when it is opened, and the flash."""

import re

import pytest

from tests.edge.journal_folder import folder  # noqa: F401


def test_a_megabyte_is_opened_in_a_controllers_heap(interpreter, folder):  # noqa: F811
    cpython = type(interpreter)("cpython", None)
    filled = re.search(r"counts (.*)", cpython.run("journal_large", folder=folder, fill=True)).group(1)
    head, stored, pending, dropped = map(int, filled.split())
    assert stored == 0
    assert pending > 1500
    output = interpreter.run("journal_large", folder=folder, fill=False)
    print(output)
    assert f"counts {filled}\n" in output, "what one interpreter writes, another one reads"
    assert f"sent {head} 300 {pending - 300} {dropped}\n" in output
    if heap := re.search(r"heap (\d+)", output):
        assert int(heap.group(1)) < 6000, "of a megabyte, only the segments' numbers"


@pytest.mark.parametrize("interpreter", ["micropython32"], indirect=True)
def test_a_pack_wears_the_flash_little(interpreter):
    interpreter.command[-1] = "heapsize=4M"
    output = interpreter.run("journal_wear", packs=60)
    print(output)
    found = re.findall(r"wear \w+ (\d+) \w+ (\d+) ([\d.]+)", output)
    assert len(found) == 12
    for record, programmed, erased in found:
        assert int(programmed) < int(record) + 3500, "half a block is copied, on average, and metadata"
        assert 0.9 < float(erased) < 1.6
    assert int(re.search(r"(\d+) bytes of heap", output).group(1)) < 6000
