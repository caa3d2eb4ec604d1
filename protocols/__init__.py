"""What field devices say, as pure codecs: bytes come IN, values go OUT, and back. No socket, no clock, nothing of ours."""
