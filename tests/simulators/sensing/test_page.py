"""docs/sensing.md: its example runs, and says what it says."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs" / "sensing.md").read_text(encoding="utf-8")


def test_the_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(compile(code, "docs/sensing.md", "exec"), {})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    told = {(pole, device, point): float(value) for pole, device, point, value, *_ in lines}
    assert 25 < told["P00004", "air-1", "temperature"] < 36
    assert {line[-1] for line in lines} == {"0"}
