"""What operators call the functions of a pole."""

from device_profiles.schema import Labels

LABELS = {
    "lighting": Labels(en="Lighting", zh="照明"),
    "wifi": Labels(en="Wi-Fi", zh="无线网络"),
    "camera": Labels(en="Cameras", zh="视频监控"),
    "screen": Labels(en="Screens", zh="信息发布屏"),
    "air": Labels(en="Air and weather", zh="环境监测"),
    "emergency": Labels(en="Emergency calls", zh="紧急求助"),
    "water": Labels(en="Water level", zh="水位监测"),
    "charging": Labels(en="EV charging", zh="充电桩"),
    "manhole": Labels(en="Manhole covers", zh="井盖"),
    "energy": Labels(en="Energy", zh="用电计量"),
    "leakage": Labels(en="Leakage", zh="漏电监测"),
    "tilt": Labels(en="Tilt", zh="倾斜监测"),
    "gateway": Labels(en="Gateways", zh="网关"),
}


def both(labels: Labels) -> str:
    """ "Voltage 电压", and one of them where both say the same."""
    return labels.en if labels.en == labels.zh else f"{labels.en} {labels.zh}"
