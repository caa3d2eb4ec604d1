"""The site of `pole bench size`: serial buses and TCP devices of a made-up meter with 20 points, as files."""

from dataclasses import dataclass
from pathlib import Path

SERIAL_PROFILE = "twenty-serial"
SERIAL_EVERY_S = 5  # 32 units of two blocks each take 4.65 s at 9600 baud: 93 % of the bus
TCP_EVERY_S = (1, 2, 5)
LATENCY_S = 0.02
POINTS = 20

# name -> (table, address, type, scale); the input registers are one block, the holding registers another
PLACES = (
    {f"analog_{index}": ("input", 2 * index, "float32", 1.0) for index in range(10)}
    | {f"gauge_{index}": ("holding", index, "uint16", 0.1) for index in range(6)}
    | {f"total_{index}": ("holding", 6 + 2 * index, "uint32", 0.01) for index in range(4)}
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much the gateway has to carry. portion: characters that a serial adapter delivers together; 0: an answer."""

    buses: int = 16
    units: int = 32
    tcp: int = 200
    portion: int = 15  # at 9600 baud what FTDI's adapters gather within the 16 ms of their latency timer

    @property
    def devices(self) -> int:
        return self.buses * self.units + self.tcp

    def tcp_every(self, index: int) -> int:
        """Seconds between the polls of a TCP device."""
        return TCP_EVERY_S[index % len(TCP_EVERY_S)]

    @property
    def readings_per_second(self) -> float:
        """What the poll plans ask for."""
        serial = self.buses * self.units / SERIAL_EVERY_S
        return POINTS * (serial + sum(1 / self.tcp_every(index) for index in range(self.tcp)))


def serial_port(folder: Path, bus: int) -> Path:
    return folder / f"rs485-{bus:02d}"


def is_own(device: str) -> bool:
    """Whether a device of a pack is one of this site, and not the gateway itself or one of its buses."""
    return "/meter-" in device or "/net-" in device


def tcp_profile(every: int) -> str:
    return f"twenty-tcp-{every}"


def write_profiles(folder: Path) -> list[Path]:
    """One file a poll period. No shop sells this meter: it fills its blocks, as no shipped profile does."""
    periods = {SERIAL_PROFILE: SERIAL_EVERY_S} | {tcp_profile(every): every for every in TCP_EVERY_S}
    paths = []
    for name, every in periods.items():
        path = folder / f"{name}.yaml"
        path.write_text(_profile(name, every), encoding="utf-8")
        paths.append(path)
    return paths


def write_site(folder: Path, size: Size, *, broker: int, tcp_ports: list[int]) -> Path:
    """broker: its port. tcp_ports: one for each TCP device, on loopback."""
    (folder / "gw-1.password").write_text("gw-1-secret\n", encoding="utf-8")
    path = folder / "site.yaml"
    path.write_text("\n".join(_site(folder, size, broker, tcp_ports)) + "\n", encoding="utf-8")
    return path


def _site(folder: Path, size: Size, broker: int, tcp_ports: list[int]) -> list[str]:
    lines = ["area: bench", "gateways:"]
    lines += [f"  gw-1: {{broker: 'mqtt://127.0.0.1:{broker}', password_file: gw-1.password, pole: P00}}"]
    lines += ["poles:", *(f"  P{index:02d}: {{position: [30.6, 104.0]}}" for index in range(max(1, size.buses)))]
    lines.append("buses:")
    lines += [f"  rs485-{bus:02d}: {{port: {serial_port(folder, bus)}, baud: 9600}}" for bus in range(size.buses)]
    lines += [f"  tcp-{index:03d}: {{host: 127.0.0.1, port: {port}}}" for index, port in enumerate(tcp_ports)]
    lines.append("devices:")
    for bus in range(size.buses):
        for unit in range(1, size.units + 1):
            where = f"bus: rs485-{bus:02d}, unit: {unit}"
            lines.append(f"  - {{pole: P{bus:02d}, device: meter-{unit:02d}, profile: {SERIAL_PROFILE}, {where}}}")
    for index in range(size.tcp):
        profile = tcp_profile(size.tcp_every(index))
        pole = index % max(1, size.buses)
        lines.append(
            f"  - {{pole: P{pole:02d}, device: net-{index:03d}, profile: {profile}, bus: tcp-{index:03d}, unit: 1}}"
        )
    return lines


def _profile(name: str, every: int) -> str:
    lines = [
        f"profile: {name}",
        "version: 1",
        "function: energy",
        "maker: nobody",
        "model: twenty points",
        "labels: {en: Meter of the bench, zh: 测试表}",
        "source: made up for `pole bench size`, no device has it",
        "verified: excerpt",
        "protocol: modbus",
        f"modbus: {{unit: 1, baud: 9600, block: 60, gap: 8, latency: {LATENCY_S * 1000:g}ms}}",
        f"polls: {{live: {{every: {every}s, silence: 5m}}}}",
        "points:",
    ]
    for point, (table, address, kind, scale) in PLACES.items():
        lines += [
            f"  {point}:",
            f"    labels: {{en: {point}, zh: {point}}}",
            "    unit: W",
            "    own: true",
            f"    at: {{table: {table}, address: {address}, type: {kind}, scale: {scale}}}",
            "    range: [0, 1000000]",
            "    deadband: 0.5",
            "    poll: live",
            "    emulate: {around: 500, swing: 100, period: 10m}",
        ]
    return "\n".join(lines) + "\n"
