"""Good profiles of every protocol, with their exchanges, and what is said when one place of them is changed."""

from pathlib import Path

from device_profiles.review import review
from simulators import round_trip

HEAD = """\
profile: demo
version: 1
function: {function}
maker: Somebody
model: A
labels: {{en: Device, zh: 设备}}
source: a data sheet of somebody
verified: manual
protocol: {protocol}
polls:
  live: {{every: 30s, silence: 5m}}
points:
"""

METER = (
    HEAD.format(function="energy", protocol="dlt645")
    + """\
  voltage:
    labels: {en: Voltage, zh: 电压}
    unit: V
    item: {name: "02010100", scale: 0.1}
    range: [0, 500]
    poll: live
    emulate: {around: 230}
  current:
    labels: {en: Current, zh: 电流}
    unit: A
    item: {name: "02020100", scale: 0.001}
    range: [-100, 100]
    poll: live
    emulate: {around: 2}
"""
)
METER_GOLDEN = """\
source: computed for this test
recorded: false
framing: hex
exchanges:
  - ["68 61 01 00 00 00 00 68 11 04 33 34 34 35 17 16",
     "68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16"]
values: {voltage: 100.1}
uncovered: [current]
"""

STATION = (
    HEAD.format(function="air", protocol="hj212")
    + """\
  noise:
    labels: {en: Noise level, zh: 噪声}
    unit: dB
    item: {name: "2011:LA-Rtd", decimals: 1}
    range: [20, 140]
    poll: live
    emulate: {around: 58}
commands:
  set_interval:
    labels: {en: Set the interval, zh: 设置间隔}
    args:
      interval: {labels: {en: Interval, zh: 间隔}, unit: s, range: [30, 3600]}
    item: {name: "1062:RtdInterval"}
"""
)
STATION_GOLDEN = """\
source: the standard's example of noise
recorded: true
framing: text
exchanges:
  - ["", "##0123QN=20160801085857223;ST=23;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=\\
       20160801085857; LA-Rtd=50.1&&1E00\\r\\n"]
values: {noise: 50.1}
"""

ACCESS_POINT = (
    HEAD.format(function="wifi", protocol="snmp")
    + """\
  uptime:
    labels: {en: Uptime, zh: 运行时间}
    unit: s
    item: {name: 1.3.6.1.2.1.1.3.0, scale: 0.01}
    poll: live
    emulate: {around: 100000}
"""
)
ACCESS_POINT_GOLDEN = """\
source: net-snmp on a bench
recorded: true
framing: text
exchanges:
  - ["snmpget -On", ".1.3.6.1.2.1.1.3.0 = Timeticks: (146923) 0:24:29.23"]
values: {uptime: 1469.23}
"""

SCREEN = (
    HEAD.format(function="screen", protocol="multivision")
    + """\
  brightness:
    labels: {en: Brightness, zh: 屏幕亮度}
    unit: "%"
    item: {name: BRIGH}
    range: [0, 100]
    poll: live
    emulate: {around: 60}
  text:
    labels: {en: Text shown, zh: 显示文字}
    item: {name: TEXT, type: text}
    poll: live
    emulate: {texts: [Welcome]}
commands:
  set_brightness:
    labels: {en: Set the brightness, zh: 设置亮度}
    args:
      brightness: {labels: {en: Brightness, zh: 亮度}, unit: "%", range: [0, 100]}
    item: {name: BRIGH}
    read_back: brightness
  set_text:
    labels: {en: Show a text, zh: 显示文字}
    args:
      text: {labels: {en: Text, zh: 文字}, length: [1, 60]}
    item: {name: TEXT, type: text}
    read_back: text
  clear:
    labels: {en: Show nothing, zh: 清屏}
    args: {}
    item: {name: CLEAR}
    read_back: brightness
    expect: 0
"""
)
SCREEN_GOLDEN = """\
source: computed for this test
recorded: false
framing: text
exchanges:
  - ["\\x01LEDGBRIGH01=?\\r", "\\x01LEDRBRIGH01=75\\r"]
  - ["\\x01LEDGTEXT01=?\\r", "\\x01LEDRTEXT01=Slow down\\r"]
values: {brightness: 75, text: Slow down}
"""

CAMERA = (
    HEAD.format(function="camera", protocol="onvif")
    + """\
  stream_alive:
    labels: {en: Stream alive, zh: 视频流正常}
    item: {name: stream_alive, type: bool}
    poll: live
    emulate: {around: 1}
  clock_skew:
    labels: {en: Clock skew, zh: 时钟偏差}
    unit: s
    item: {name: clock_skew_s}
    poll: live
    emulate: {around: 3}
commands:
  reboot:
    labels: {en: Restart, zh: 重启}
    args: {}
    item: {name: reboot}
"""
)

CHARGER = (
    HEAD.format(function="charging", protocol="ocpp")
    + """\
  voltage:
    labels: {en: Voltage, zh: 电压}
    unit: V
    item: {name: meter.Voltage, decimals: 1}
    range: [0, 500]
    poll: live
    emulate: {around: 230}
  max_current:
    labels: {en: Current limit, zh: 电流上限}
    unit: A
    item: {name: current_limit, decimals: 1}
    range: [0, 80]
    poll: live
    emulate: {around: 32}
commands:
  set_current:
    labels: {en: Limit the current, zh: 设置电流上限}
    args:
      current: {labels: {en: Current, zh: 电流}, unit: A, range: [6, 80]}
    item: {name: current_limit, decimals: 1}
    read_back: max_current
"""
)

INTERCOM = (
    HEAD.format(function="emergency", protocol="sip")
    + """\
  alive:
    labels: {en: Intercom alive, zh: 对讲在线}
    item: {name: alive, type: bool}
    poll: live
    emulate: {around: 1}
"""
)

TILT = (
    HEAD.format(function="tilt", protocol="chirpstack")
    + """\
  angle_x:
    labels: {en: Angle X, zh: X 轴角度}
    unit: deg
    item: {name: "03cf", byte: 0, number: int16, scale: 0.01}
    range: [-180, 180]
    poll: live
    emulate: {around: 1}
  angle_y:
    labels: {en: Angle Y, zh: Y 轴角度}
    unit: deg
    item: {name: "03cf", byte: 2, number: int16, scale: 0.01}
    range: [-180, 180]
    poll: live
    emulate: {around: 2}
"""
)

LAMPS = (
    HEAD.format(function="lighting", protocol="modbus").replace(
        "polls:\n", "modbus: {unit: 1, baud: 9600, channels: 16, latency: 15ms}\npolls:\n"
    )
    + """\
  level:
    labels: {en: Lamp level, zh: 灯光亮度}
    unit: "%"
    at: {table: holding, address: 2560, type: uint16, scale: 0.5, step: 1}
    range: [0, 100]
    poll: live
    emulate: {around: 60}
  energy_total:
    labels: {en: Lamp energy, zh: 灯具累计电能}
    unit: kWh
    at: {table: holding, address: 100, type: uint32, scale: 0.01, step: 2}
    range: [0, 100000]
    poll: live
    emulate: {around: 12.5, grow: 0.1}
commands:
  set_level:
    labels: {en: Dim the lamp, zh: 调光}
    args:
      level: {labels: {en: Level, zh: 亮度}, unit: "%", range: [0, 100]}
    write: {table: holding, address: 256, type: uint16, scale: 0.5, step: 1}
    read_back: level
"""
)
LAMPS_GOLDEN = """\
source: computed for this test
recorded: false
exchanges:
  - ["01 03 0a 00 00 01 87 d2", "01 03 02 00 64 b9 af"]
values: {level: 50}
uncovered: [energy_total]
"""

BASES = {
    "meter": (METER, METER_GOLDEN), "station": (STATION, STATION_GOLDEN),
    "access point": (ACCESS_POINT, ACCESS_POINT_GOLDEN),
    "screen": (SCREEN, SCREEN_GOLDEN), "camera": (CAMERA, None), "charger": (CHARGER, None),
    "intercom": (INTERCOM, None), "tilt": (TILT, None), "lamps": (LAMPS, LAMPS_GOLDEN),
}  # fmt: skip


def messages(tmp_path: Path, base: str, old: str, new: str, *, in_golden: bool = False) -> list[str]:
    """What `pole profile check` says about a base with one place changed, without the files' names."""
    profile, golden = BASES[base]
    text = golden if in_golden else profile
    assert text is not None
    assert text.count(old) == 1, f"{old!r} must stand once"
    path, beside = tmp_path / "demo.yaml", tmp_path / "demo.golden.yaml"
    path.write_text(profile if in_golden else profile.replace(old, new), "utf-8")
    if golden is not None:
        beside.write_text(golden.replace(old, new) if in_golden else golden, "utf-8")
    problems = review(path, round_trip.faults).problems
    if golden is None:  # it is not there, which is not what this is about
        problems = [text for text in problems if not text.startswith(f"{beside}: is missing.")]
    return [text.removeprefix(str(beside)).removeprefix(str(path)) for text in problems]
