"""`pole fleet`: a scenario and a number of poles come IN, an emulated city beside a real broker and store goes OUT."""
