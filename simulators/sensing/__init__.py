"""What devices make of the world: its quantities at a pole come IN, values and qualities of every point go OUT."""
