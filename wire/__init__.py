"""The contract between nodes and ingest. Values come IN, MQTT topics and payloads go OUT, and back.

Standard library only, in the subset of the language that MicroPython has. Import the module you need:
`wire.topics`, `wire.packs`, `wire.stored`, `wire.messages`.
"""

VERSION = 1
