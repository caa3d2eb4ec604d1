"""What an emulated city really did: readings, happenings and acts come IN, a compact file that reads back goes OUT."""
