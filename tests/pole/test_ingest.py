"""`pole ingest` without a running service."""

import subprocess
import sys

from ingest.dead_letters import DeadLetters


def test_an_empty_list_of_dead_letters_says_so(tmp_path):
    assert DeadLetters(path=tmp_path / "d.db").all() == []
    config = tmp_path / "ingest.yaml"
    config.write_text("broker: mqtt://ingest@127.0.0.1\nstore: sqlite:r.db\ndead_letters: d.db\n")
    command = [sys.executable, "-m", "pole", "ingest", "dead-letters", "list", "--config", str(config)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (answer.returncode, answer.stdout) == (0, "")
    assert "nothing is kept" in answer.stderr
