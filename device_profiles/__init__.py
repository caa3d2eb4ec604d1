"""What a device is, as data. YAML files come IN, checked models and decoded values go OUT.

`schema` is a profile's model, `loader` finds and reads profiles, `registers` turns register words into values and
back, `site` is the model of a site file, `problems` words what is wrong with a file.
"""
