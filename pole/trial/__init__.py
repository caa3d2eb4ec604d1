"""A profile tried against one device. A profile and a way to the device come IN, raw numbers beside values go OUT.

`registers` asks Modbus devices, `items` asks and hears all others, `hints` says what looks wrong, `view` prints,
`golden` writes the exchange down, which `recorder` took from a tap, `emulator` stands in for a device.
"""
