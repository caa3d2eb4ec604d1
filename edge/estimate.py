"""A guest, for packs of a boot whose time was never known: before them, each of their points is told as `clock`.

So whoever reads them knows that the times are estimates (docs/time.md).
"""


def marked(body: bytes) -> bytes:
    """The body of a pack, as Journal.append() takes it, behind one more record for each of its points."""
    marks: list[bytes] = []
    device = b""
    at = body.find(b'"n":"')  # an unescaped quote stands in no text, so it is found nowhere else
    begin = 0
    while at >= 0:
        named = body.find(b'"bn":"', begin, at)
        if named >= 0:
            device = body[named : body.find(b",", named) + 1]
        begin = body.find(b",", at) + 1
        mark = device + body[at:begin] + b'"t":-0.010,"q":"clock"},{'
        if mark not in marks:
            marks.append(mark)
        at = body.find(b'"n":"', begin)
    return b"".join(marks) + body
