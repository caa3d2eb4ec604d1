"""How Telegraf's Modbus input would read the same points: fields IN, its requests OUT.

The rule of its `optimization = "max_insert"`, as read in influxdata/telegraf 1.40, plugins/inputs/modbus/request.go
(optimizeGroupWithinLimits) and README.md: fields by rising address; the next one joins the request while the hole
before it is at most `optimization_max_register_fill` and the request does not exceed the device's limit.
"""

from collections.abc import Iterable

FILL = 50  # its default (sample_request.conf)


def requests(fields: Iterable[tuple[int, int]], *, most: int, fill: int = FILL) -> list[tuple[int, int]]:
    """(address, length) of the fields of one register type -> (address, length) of the requests.

    most: registers of one request, as `max_word_registers_per_request` says; bits for coils and discrete inputs.
    """
    ordered = sorted(fields, key=lambda field: (field[0], -field[1]))
    out: list[tuple[int, int]] = []
    for (before, own), (address, length) in zip([(0, 0), *ordered], ordered, strict=False):
        hole = max(0, address - (before + own))
        if out and hole <= fill and out[-1][1] + hole + length <= most:
            start, so_far = out[-1]
            out[-1] = (start, max(so_far, address + length - start))
        else:
            out.append((address, length))
    return out
