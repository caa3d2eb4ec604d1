"""What a controller makes of registers: a line of "where a block is, its length, its point, hex" in, a text out."""

from binascii import unhexlify

from edge import plan as plans


def texts(args):
    at = block = None
    with open(args["plan"], "rb") as plan:
        with open(args["words"]) as lines:
            for line in lines:
                where, length, point, data = line.split()
                if where != at:
                    at = where
                    plan.seek(int(where))
                    block = plan.read(int(length))
                point = int(point)
                kind, size, bit = block[point + 1], block[point + 2] & 15, block[point + 4]
                number = plans.raw(unhexlify(data), 0, kind, size, bit)
                yield plans.field(block, point, 0 if plans.is_valid(block, point, number) else 258, number)


def test_values(args):
    with open(args["out"], "w") as out:
        for text in texts(args):
            out.write(text + "\n")
