"""The time lines that a city can be put through: YAML files come IN, causes go OUT."""
