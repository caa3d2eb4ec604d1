"""What can go wrong between the gateway and a device, whatever it speaks.

DeviceError       `quality` is the code that a point gets which was not read (wire.packs.QUALITIES)
├── Timeout       no answer in time
├── BadAnswer     bytes came, but no answer to the request; `fault` is one word
├── Refused       the device says no; `code` is its own number for the reason, 0 where it has none
└── LineDown      the port or the connection is not there
"""


class DeviceError(Exception):
    quality = "timeout"


class Timeout(DeviceError):
    pass


class BadAnswer(DeviceError):
    """fault: crc, short, address (another device's), late (another request's), length, header, or noise."""

    quality = "crc"

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


class Refused(DeviceError):
    """code: 1 to 255 becomes the quality exception-N; anything else the quality disabled."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.quality = f"exception-{code}" if 0 < code < 256 else "disabled"


class LineDown(DeviceError):
    pass
