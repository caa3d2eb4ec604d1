"""Who is on a bus that nobody knows: a Line IN, units and what they answer OUT.

`listening` hears what the line does by itself, `probe` asks one unit for life, `search` asks them all, `examine` asks
one for everything that tells which profile it fits.
"""
