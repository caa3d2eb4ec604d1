"""One city: a seed and causes come IN, what sun, weather, streets and mains do at each pole goes OUT."""
