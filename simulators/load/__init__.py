"""A load that can be trusted: send times come IN, latencies counted from them and the price of it all go OUT."""
