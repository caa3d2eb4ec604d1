"""The controller's end of the serial line, on the three interpreters."""

from pathlib import Path

import pytest

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "frames-session.json"


@pytest.mark.parametrize("case", ["messages", "damage", "sessions"])
def test_serial_link(interpreter, case):
    interpreter.run(f"serial_link_{case}", vectors=str(VECTORS))
