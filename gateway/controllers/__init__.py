"""Pole controllers without a network: questions go OUT on a serial line, packs come IN and go on to the broker."""
