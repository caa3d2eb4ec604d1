"""What the pins of each board can do: a controller of a site file IN, what it asks of a pin that the pin has not OUT.

ESP32: ESP32 Series Datasheet 4.9, 2.2 (pins) and 2.4 (strapping); ESP-IDF Programming Guide, ADC (ADC2 and Wi-Fi).
RP2040: RP2040 Datasheet, 1.4.3 (functions of the GPIOs), 4.5.2 (PWM); Pico W Datasheet, 2.1 (pins of the radio).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from device_profiles.site_controllers import Controller, PinName
from device_profiles.wording import Fault, Keys

ESP32 = (*range(20), *range(21, 24), *range(25, 28), *range(32, 40))
ESP32_FLASH = range(6, 12)
ESP32_INPUTS = range(34, 40)  # no output, no pull resistors
ESP32_ADC1 = range(32, 40)
ESP32_ADC2 = (0, 2, 4, 12, 13, 14, 15, 25, 26, 27)  # the radio uses this converter
ESP32_STRAPPING = (0, 2, 5, 12, 15)
ESP32_CONSOLE = (1, 3)  # UART0: messages of the boot, the prompt, flashing
ESP32_RMII = (19, 21, 22, 25, 26, 27)  # fixed pins of the Ethernet MAC
RP2 = range(30)
RP2_ADC = range(26, 30)
RP2_RADIO = (23, 24, 25, 29)
LINE = r"gpiochip\d+:\d+|(?!gpiochip).+", "a line's name, as in GPIO17, or chip and number, as in gpiochip0:17"
LINUX = {  # role -> what a name looks like, as a pattern and in words; LINE for all others
    "pwm": (r"pwmchip\d+:\d+", "a chip and its channel, as in pwmchip0:1"),
    "adc": (r"iio:device\d+/in_voltage\d+", "a device and its channel, as in iio:device0/in_voltage3"),
}
PORTS = {"esp32": {"uarts": (1, 2), "i2cs": (0, 1)}, "rp2": {"uarts": (0, 1), "i2cs": (0, 1)}}


@dataclass(frozen=True, slots=True)
class Use:
    """One pin that a controller's entry names. role: tx, rx, direction, input, output, pwm, adc, sda, scl, ethernet."""

    keys: Keys  # from the controller's name on
    pin: PinName
    role: str
    who: str


def uses(controller: Controller, outputs: Iterable[str] = ()) -> Iterator[Use]:
    """Every pin that is named. outputs: names of the `pins` that a device drives."""
    for name, uart in controller.uarts.items():
        for role in ("tx", "rx", "direction"):
            yield from _use(("uarts", name, role), getattr(uart, role), role, f"{role} of the uart {name}")
    driven = set(outputs)
    for name, pin in controller.pins.items():
        yield from _use(("pins", name, "pin"), pin.pin, "output" if name in driven else "input", f"the pin {name}")
    for name, pwm in controller.pwms.items():
        yield from _use(("pwms", name, "pin"), pwm.pin, "pwm", f"the pwm {name}")
    for name, adc in controller.adcs.items():
        yield from _use(("adcs", name, "pin"), adc.pin, "adc", f"the adc {name}")
    for name, i2c in controller.i2cs.items():
        for role in ("sda", "scl"):
            yield from _use(("i2cs", name, role), getattr(i2c, role), role, f"{role} of the i2c {name}")
    if controller.ethernet is not None:
        for role in ("mdc", "mdio", "power", "clock"):
            yield from _use(
                ("ethernet", role), getattr(controller.ethernet, role), "ethernet", f"the Ethernet's {role}"
            )


def _use(keys: Keys, pin: PinName | None, role: str, who: str) -> Iterator[Use]:
    if pin is not None:
        yield Use(keys, pin, role, who)


def refusal(controller: Controller, use: Use) -> str:
    """Why this pin cannot do that; nothing where it can."""
    if controller.board == "simulated":
        return ""
    if controller.board == "linux":
        return _linux(use)
    if isinstance(use.pin, str):
        return f"'{use.pin}' is a name: a pin of {controller.board} is the number of its GPIO, as in 25."
    return _esp32(controller, use, use.pin) if controller.board == "esp32" else _rp2(controller, use, use.pin)


def _linux(use: Use) -> str:
    """The kernel's names (edge/boards/linux.py); of a UART it knows the pins by itself."""
    if use.role in ("tx", "rx", "sda", "scl"):
        return f"the kernel knows the pins of {use.keys[1]}. Delete this key."
    form, words = LINUX.get(use.role, LINE)
    if isinstance(use.pin, str) and re.fullmatch(form, use.pin):
        return ""
    return f"{use.pin!r} is not {words}: that is how linux names it."


def _esp32(controller: Controller, use: Use, pin: int) -> str:
    if pin not in ESP32:
        return f"{pin} is no GPIO of an ESP32: there are 0 to 19, 21 to 23, 25 to 27 and 32 to 39."
    if pin in ESP32_FLASH:
        return f"{pin} is taken: GPIO 6 to 11 hold the ESP32's flash. Choose another pin."
    if pin in ESP32_CONSOLE:
        return f"{pin} is taken: GPIO 1 and 3 are the console, and how it is flashed. Choose another pin."
    if pin in ESP32_INPUTS and use.role not in ("rx", "input", "adc"):
        return f"{pin} is an input only (34 to 39 are), and {use.who} is driven. Choose one of 4, 13, 14, 16 to 33."
    if controller.ethernet is not None and pin in ESP32_RMII and use.role != "ethernet":
        return f"{pin} is taken by Ethernet (it has 19, 21, 22, 25, 26 and 27). Choose another pin."
    if use.role != "adc" or pin in ESP32_ADC1:
        return ""
    if pin not in ESP32_ADC2:
        return f"{pin} has no ADC. Choose one of 32 to 39."
    return f"{pin} is on ADC2, which the radio uses. Choose one of 32 to 39." if controller.wifi is not None else ""


def _rp2(controller: Controller, use: Use, pin: int) -> str:
    if pin not in RP2:
        return f"{pin} is no GPIO of an RP2040: there are 0 to 29."
    if controller.wifi is not None and pin in RP2_RADIO:
        return f"{pin} is taken: GPIO 23, 24, 25 and 29 are the radio of a Pico W. Choose another pin."
    if use.role == "adc" and pin not in RP2_ADC:
        return f"{pin} has no ADC. Choose one of 26 to 29."
    return _function(controller, use, pin)


def _function(controller: Controller, use: Use, pin: int) -> str:
    """An RP2040's UARTs and I²C units stand at fixed pins."""
    if use.role not in ("tx", "rx", "sda", "scl"):
        return ""
    section, name = str(use.keys[0]), str(use.keys[1])
    port = getattr(controller, section)[name].port
    fit = {
        "tx": [pin for pin in (0, 4, 8, 12, 16, 20, 24, 28) if (pin + 4) // 8 % 2 == port],
        "rx": [pin for pin in (1, 5, 9, 13, 17, 21, 25, 29) if (pin + 4) // 8 % 2 == port],
        "sda": [pin for pin in range(0, 30, 2) if pin // 2 % 2 == port],
        "scl": [pin for pin in range(1, 30, 2) if pin // 2 % 2 == port],
    }[use.role]
    unit = "UART" if section == "uarts" else "I²C"
    return "" if pin in fit else f"{pin} is not {use.role} of {unit} {port}. It has {', '.join(map(str, fit))}."


def clashes(controller: Controller, found: Iterable[Use]) -> Iterator[tuple[Use, Use]]:
    """Pins with two users: (the later, the earlier)."""
    taken: dict[PinName, Use] = {}
    for use in found:
        if use.pin in taken:
            yield use, taken[use.pin]
        taken.setdefault(use.pin, use)


def shared_pwms(controller: Controller) -> Iterator[Fault]:
    """GPIO n and n + 16 of an RP2040 are one PWM channel; two channels of a slice have one frequency."""
    if controller.board != "rp2":
        return
    slices: dict[int, tuple[str, int, int]] = {}
    for name, pwm in controller.pwms.items():
        if not isinstance(pwm.pin, int):
            continue
        other = slices.setdefault(pwm.pin // 2 % 8, (name, pwm.pin, pwm.hertz))
        if other[0] != name and other[1] % 16 == pwm.pin % 16:
            text = f"{pwm.pin} is one PWM channel with {other[1]}, which is {other[0]}. Choose another pin."
            yield ("pwms", name, "pin"), text
        elif other[2] != pwm.hertz:
            text = f"{pwm.hertz} differs from {other[0]}, whose pin {other[1]} is on the same PWM slice."
            yield ("pwms", name, "hertz"), f"{text} Write {other[2]}, or choose another pin."
