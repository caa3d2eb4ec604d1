"""How a new profile begins: a maker's register table, or a like device's file, comes IN, a profile's text goes OUT.

`table` reads the maker's CSV, `columns` and `cells` know how makers write, `matching` finds the standard point that is
meant, `choice` gives each row its point, `text` writes the YAML, `placeholders` are what only the author can know.
"""
