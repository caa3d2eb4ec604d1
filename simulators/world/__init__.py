"""One city: a seed and causes come IN, what the sun, the weather, the streets and the mains do at each pole goes OUT."""
