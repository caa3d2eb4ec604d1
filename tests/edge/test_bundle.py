def test_loads(interpreter):
    assert "ok test_stored_is_decoded" in interpreter.run("bundle_loads")
