"""Nodes that speak the wire contract, by the ten thousand: a world comes IN, MQTT sessions with real spools go OUT."""
