"""The `pole` command. Words from a terminal come IN, calls to the packages and readable answers go OUT."""
