"""What a controller makes of registers: a line of "bus part hex" in, the text of the value out."""

import struct
from binascii import unhexlify

from edge import access
from edge import plan as plans


def texts(args):
    bus = plan = None
    with open(args["words"]) as lines:
        for line in lines:
            name, part, data = line.split()
            if name != bus:
                bus, plan = name, access.load(args["plan"], name)
            _, point, _, bit = struct.unpack_from("<HHBB", plan, int(part))
            data = unhexlify(data)
            number = plans.raw(data, 0, plan[point], plan[point + 1] & 15, bit)
            yield plans.field(plan, point, 0 if plans.is_valid(plan, point, number) else 258, number)


def test_values(args):
    with open(args["out"], "w") as out:
        for text in texts(args):
            out.write(text + "\n")
