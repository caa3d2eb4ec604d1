"""What to copy into a site file for one device: its bus with the factory settings, and the device on it."""

from device_profiles.schema import ModbusDefaults, Profile, Wired

PORT = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K3XYZ-if00-port0"
# protocol -> (bus, its keys, address of a device on it)
_BUSES = {
    "dlt645": ("meters", f"protocol: dlt645, port: {PORT}", '"000000000161"'),
    "hj212": ("stations", 'protocol: hj212, listen: "0.0.0.0:9002"', "010000A8900016F000169DC0"),
    "snmp": ("network", "protocol: snmp, version: 2c, community_file: snmp.community", "192.168.1.2"),
    "onvif": ("cameras", "protocol: onvif, user: multipole, password_file: cameras.password", "192.168.1.30"),
    "multivision": ("screens", "protocol: multivision", "192.168.1.40"),
    "sip": ("intercoms", "protocol: sip", "192.168.1.50"),
    "ocpp": ("chargers", 'protocol: ocpp, listen: "0.0.0.0:9000"', "CP-0001"),
    "chirpstack": ("lorawan", "protocol: chirpstack, broker: mqtt://127.0.0.1:1883", "24e124136b502217"),
}
_NAMED = {"pin": "contact-1", "pwm": "dim-1", "adc": "loop-1", "i2c": "chips"}
_HARDWARE = {
    "pin": "{pin: 32, pull: up}", "pwm": "{pin: 25}", "adc": "{pin: 33}", "i2c": "{port: 0, sda: 21, scl: 22}",
}  # fmt: skip
_CONTROLLER = """\
controllers:
  ctl-1:
    board: esp32
    pole: P0001
    broker: mqtt://10.0.0.1:1883
    wifi: {ssid: poles, password_file: wifi.password}
    ntp: 10.0.0.1
"""


def snippet(profile: Profile, framing: str = "rtu") -> str:
    """YAML of `buses` and `devices`; framing: the golden's, which tells a Modbus TCP device. Empty for a gateway."""
    if profile.protocol == "gateway":
        return ""
    if profile.wired is not None:
        return _on_a_controller(profile, profile.wired)
    if profile.modbus is not None:
        bus, keys = ("tcp-1", "host: 192.168.1.20") if framing == "tcp" else ("rs485-1", _serial(profile.modbus))
        where = f"unit: {profile.modbus.unit}" + (", channel: 0" if profile.modbus.channels > 1 else "")
    else:
        bus, keys, address = _BUSES[profile.protocol]
        where = f"address: {address}"
    device = f"pole: P0001, device: {device_name(profile)}, profile: {profile.profile}, bus: {bus}, {where}"
    return f"buses:\n  {bus}: {{{keys}}}\ndevices:\n  - {{{device}}}\n"


def _on_a_controller(profile: Profile, needs: Wired) -> str:
    held = {kind: name for kind, name in _NAMED.items() if getattr(needs, kind) is not None}
    lines = [f"    {kind}s: {{{name}: {_HARDWARE[kind]}}}" for kind, name in held.items()]
    if "set_level" in profile.commands:
        steps = "[{at: dusk, level: 100}, {at: dawn, level: 0}]"
        lines.append(f"    lamp: {{device: {device_name(profile)}, schedule: {steps}}}")
    uses = ", ".join(f"{kind}: {name}" for kind, name in held.items())
    device = f"pole: P0001, device: {device_name(profile)}, profile: {profile.profile}, bus: pins-1, {uses}"
    pins = "".join(f"{line}\n" for line in lines)
    buses = "buses:\n  pins-1: {protocol: wired, controller: ctl-1}\n"
    return f"{_CONTROLLER}{pins}{buses}devices:\n  - {{{device}}}\n"


def device_name(profile: Profile) -> str:
    """`air-1`: what the device is called in examples."""
    return f"{profile.function}-1"


def _serial(modbus: ModbusDefaults) -> str:
    parity = "" if modbus.parity == "none" else f", parity: {modbus.parity}"
    stop = "" if modbus.stop_bits == 1 else f", stop_bits: {modbus.stop_bits}"
    return f"port: {PORT}, baud: {modbus.baud}{parity}{stop}"
