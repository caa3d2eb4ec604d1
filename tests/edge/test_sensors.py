def test_sensors(interpreter):
    interpreter.run("sensors")
