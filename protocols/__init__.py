"""What field devices say, as pure codecs: bytes IN, values OUT, and back. No socket, no clock, nothing of ours."""
