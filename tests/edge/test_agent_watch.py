"""What feeds the watchdog, and what ends the agent."""


def test_the_watchdog(interpreter, tmp_path):
    if interpreter.name == "micropython32":
        interpreter.command[-1] = "heapsize=96K"  # the whole agent, loaded
    assert "ran 3" in interpreter.run("agent_watch", folder=str(tmp_path))
