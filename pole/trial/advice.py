"""What to check where nothing answers at all: a few lines, the likeliest first."""

from protocols.errors import BadAnswer, DeviceError, LineDown

_WIRES = ("power, and a common ground between device and adapter", "A and B: swap them, it harms nothing")
_LOCKED = "exclusively lock"  # pyserial's word for a port that another program has
_NO_PORT = ("Inappropriate ioctl", "Is a directory")  # the system's words for a file, /dev/null, a folder
_OTHERS = {
    "dlt645": (
        *_WIRES,
        "--address: the 12 digits of the meter's number, as its label says",
        "{settings}: --baud, --parity",
    ),
    "snmp": (
        "is the agent switched on in the device, and UDP port 161 open to us?",
        "the community (--set community_file=…), or --set version=3 with --user and --password-file",
    ),
    "onvif": ("is ONVIF switched on in the camera? Some want a user of its own for it", "--user and --password-file"),
    "multivision": (
        "is the text protocol switched on in the control computer? Its port: --port HOST:PORT",
        "the screen's number: --port HOST:PORT#02",
    ),
    "sip": (
        "is the intercom at this address, and its port 5060 (UDP)?",
        "does it answer strangers, or its server alone?",
    ),
    "hj212": ("the station's server: does it say this machine's address and port?", "--address: the station's MN"),
    "ocpp": (
        "the charger's server: does it say ws:// and this machine's address and port?",
        "--address: the charger's identity",
    ),
    "chirpstack": (
        "may this user read application/# at the broker?",
        "--address: the sensor's DevEUI; does it send at all?",
    ),
}


def advice(protocol: str, error: DeviceError, *, serial: bool, settings: str, unit: int | None) -> list[str]:
    """settings: of the line, as 9600 8N1. unit: None where all were asked."""
    if isinstance(error, LineDown) and serial:
        return [port_trouble(error)]
    if protocol != "modbus":
        return [line.format(settings=settings) for line in _OTHERS[protocol]]
    if isinstance(error, LineDown):
        return ["is it on, is the address right, and is Modbus TCP enabled in it?"]
    if isinstance(error, BadAnswer):
        return ["bytes come, but no right frame:", f"baud and parity ({settings})? two devices with unit {unit}?"]
    if unit is None:
        return (
            [
                *_WIRES,
                f"{settings}: --baud, --parity, --all-rates",
                "is the device slow (--wait 1s), or silent to what it does not have (--thorough)?",
            ]
            if serial
            else ["is it Modbus TCP, or RTU frames (--framing rtu)? Is the device slow? --wait 3s"]
        )
    if not serial:
        return [f"unit {unit}? behind a converter, is it Modbus TCP, or RTU frames (--framing rtu)?"]
    return [
        *_WIRES,
        f"unit {unit}, as the device's menu or label says",
        f"{settings}: --baud, --parity, --stop-bits; the factory setting is often changed",
    ]


def port_trouble(error: LineDown) -> str:
    """What to do about a port that cannot be used."""
    text = str(error)
    port = text.partition(":")[0]
    if _LOCKED in text:
        return (
            f"{port} is in use by another program. Stop the gateway that polls it (pole gateway run), then try again."
        )
    if "No such file" in text:
        return f"{port} is not there. Plugged in? `ls -l /dev/serial/by-id` shows the adapters."
    if "Permission denied" in text:
        return f"{port}: you may not use it. Join the group that owns it: sudo usermod -aG dialout $USER, log in again."
    if any(each in text for each in _NO_PORT):
        return f"{port} is no serial port. `ls -l /dev/serial/by-id` shows the adapters."
    return text
