"""The journal on all interpreters: its cases, and what needs a host."""


def test_cases(interpreter, tmp_path):
    assert "ran 14" in interpreter.run("journal", folder=str(tmp_path))
