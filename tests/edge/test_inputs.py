import subprocess
import time


def test_inputs(interpreter):
    interpreter.run("inputs")


def wait_for(path, text):
    for _ in range(1000):
        if path.exists() and text in path.read_text():
            return
        time.sleep(0.02)
    raise AssertionError(f"{text!r} did not come: {path.read_text() if path.exists() else 'nothing'}")


def test_a_cover_of_the_simulated_board(interpreter, tmp_path):
    """Somebody opens and closes the cover of a running controller by a file."""
    told = tmp_path / "told"
    process = interpreter.start(
        "inputs_live", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, folder=str(tmp_path), told=str(told)
    )
    with process:
        try:
            wait_for(told, 'P0001/cover open "vb":false False')
            (tmp_path / "pins" / "cover").write_text("1")
            wait_for(told, 'P0001/cover open "vb":true True')
            (tmp_path / "pins" / "cover").write_text("0")
            wait_for(told, 'P0001/cover open "vb":false True')
        finally:
            (tmp_path / "end").write_text("")
            output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
