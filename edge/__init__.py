"""The agent on a pole controller. Sensors and commands come IN, packs of the wire and the lamp's level go OUT."""

VERSION = "0.1.0"
