"""One vector of tests/vectors/ against wire/, on CPython and on MicroPython alike.

On MicroPython: micropython -X heapsize=64K tests/wire/conformance.py ROOT FILE
It prints one line a failure and, last, how many vectors ran. A vector file is a JSON array with one vector a line, so
that a small heap takes it line by line; FILE is its name without .json.
"""

import gc
import json
import sys


def problem(file, vector):
    """What is wrong with how wire/ treats this vector of this file (its name without .json), or None."""
    try:
        return CHECKS[file](vector)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def source(name):
    """The file that a check reads: the good packs are also cut at every byte."""
    return "packs-good" if name == "packs-truncated" else name


def vectors(path):
    """The vectors of a file, one after the other."""
    with open(path, "rb") as file:
        for line in file:
            line = line.strip()
            if line not in (b"[", b"]"):
                yield json.loads(line[:-1] if line.endswith(b",") else line)


def same(left, right):
    """Equal in value and in type: 1 is neither true nor 1.0."""
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(same(left[i], right[i]) for i in range(len(left)))
    return type(left) is type(right) and left == right


def _differs(what, got, wanted):
    return None if same(got, wanted) else f"{what}: {got!r}, not {wanted!r}"


def _refusal(kind, reason, function, *arguments):
    # The refusal has to be of this very kind, with this reason and a sentence.
    try:
        got = function(*arguments)
    except kind as error:
        return _differs(f"reason ({error.detail})", error.reason, reason) or (None if error.detail else "no detail")
    return f"accepted: {got!r}"


def _pack_good(vector):
    from wire import packs

    body = vector["body"].encode()
    pack = packs.decode(body)
    refused = [[index, reason] for index, reason, _detail in pack.refused]
    for what, got in (
        ("epoch", pack.epoch),
        ("number", pack.number),
        ("readings", pack.readings),
        ("refused", refused),
    ):
        wrong = _differs(what, got, vector[what])
        if wrong:
            return wrong
    if "encode" in vector:
        encoded = packs.encode(pack.epoch, pack.number, [tuple(reading) for reading in vector["encode"]])
        return _differs("encoded", encoded.decode(), vector["body"])
    return None


def _pack_truncated(vector):
    from wire import errors, packs

    body = vector["body"].encode()
    for end in range(len(body)):
        wrong = _refusal(errors.PackError, "json", packs.decode, body[:end])
        if wrong:
            return f"cut after {end} bytes: {wrong}"
    return None


def _pack_bad(vector):
    from wire import errors, packs

    return _refusal(errors.PackError, vector["reason"], packs.decode, vector["body"].encode())


def _pack_unencodable(vector):
    from wire import errors, packs

    readings = [tuple(reading) for reading in vector["readings"]]
    return _refusal(errors.PackError, vector["reason"], packs.encode, vector["epoch"], vector["number"], readings)


def _topic_good(vector):
    from wire import topics

    table = topics.UP if vector["direction"] == "up" else topics.DOWN
    join = topics.up if vector["direction"] == "up" else topics.down
    parts = [vector["area"], vector["node"], vector["direction"], vector["channel"]]
    return (
        _differs("parsed", topics.parse(vector["topic"]), parts)
        or _differs("joined", join(vector["area"], vector["node"], vector["channel"]), vector["topic"])
        or _differs("QoS, retained", table[vector["channel"]], [vector["qos"], vector["retained"]])
    )


def _topic_bad(vector):
    from wire import errors, topics

    return _refusal(errors.TopicError, "topic", topics.parse, vector["topic"])


def _stored_good(vector):
    from wire import stored

    epoch, ranges = stored.decode(vector["body"].encode())
    wrong = _differs("epoch", epoch, vector["epoch"]) or _differs("ranges", ranges, vector["ranges"])
    if wrong or not vector["exact"]:
        return wrong
    return _differs("encoded", stored.encode(epoch, ranges).decode(), vector["body"])


def _stored_bad(vector):
    from wire import errors, stored

    return _refusal(errors.MessageError, vector["reason"], stored.decode, vector["body"].encode())


def _labels(kind):
    from wire import messages

    tables = {"status": messages.STATUS, "birth": messages.BIRTH, "command": messages.COMMAND, "reply": messages.REPLY}
    return tables[kind]


def _message_good(vector):
    from wire import messages

    labels = _labels(vector["kind"])
    body = messages.encode(vector["message"], labels)
    decoded = messages.decode(body, labels)
    return None if decoded == vector["message"] else f"decoded: {decoded!r}"


def _message_bad(vector):
    from wire import errors, messages

    labels = _labels(vector["kind"])
    body = json.dumps(vector["message"]).encode()
    return _refusal(errors.MessageError, vector["reason"], messages.decode, body, labels) or _refusal(
        errors.MessageError, vector["reason"], messages.encode, vector["message"], labels
    )


def _release_good(vector):
    from wire import releases

    if vector["kind"] == "chunk":
        body = bytes.fromhex(vector["body"])
        sha, offset, data = releases.decode_chunk(body)
        wanted = [vector["sha"], vector["offset"], vector["data"]]
        encoded = releases.encode_chunk(body[:4], offset, data)
        return _differs("decoded", [sha, offset, data.hex()], wanted) or _differs("encoded", encoded, body)
    if vector["kind"] == "fetch":
        fetch = releases.decode_fetch(json.dumps(vector["message"]).encode())
        return None if fetch == vector["message"] else f"decoded: {fetch!r}"
    payload = vector["payload"].encode()
    signature, text = releases.split(payload)
    wrong = _signature(vector) or _differs("joined", releases.join(signature, text), payload)
    manifest = releases.decode_manifest(text)
    return wrong or (None if manifest == vector["manifest"] else f"decoded: {manifest!r}")


def _signature(vector):
    from edge import release

    try:
        release.verified(vector["payload"].encode(), bytes.fromhex(vector["key"]))
    except ValueError:
        return "the signature is refused"
    return None


def _release_bad(vector):
    from wire import errors, releases

    kind = vector["kind"]
    if kind == "signature":
        return None if _signature(vector) else "accepted"
    if kind == "payload":
        return _refusal(errors.MessageError, vector["reason"], releases.split, vector["payload"].encode())
    if kind == "chunk":
        return _refusal(errors.MessageError, vector["reason"], releases.decode_chunk, bytes.fromhex(vector["body"]))
    decode = releases.decode_fetch if kind == "fetch" else releases.decode_manifest
    return _refusal(errors.MessageError, vector["reason"], decode, json.dumps(vector["message"]).encode())


def _rfc8428(vector):
    from wire import senml

    senml.check_understood(vector["records"])
    base = senml.new_base()
    resolved = [senml.resolve(record, base, vector["now_ms"]) for record in vector["records"]]
    return _differs("resolved", resolved, vector["resolved"])


def _frame(line):
    """The content of a frame with its delimiters; None where it is damaged."""
    from wire import frames

    buffer = bytearray(line)
    content = bytes(buffer[2 : frames.unseal(buffer, 1, len(buffer) - 1)])
    return content or None


def _frame_good(vector):
    from wire import frames

    content = bytes.fromhex(vector["content"])
    buffer = bytearray(2) + content + bytearray(5)
    sealed = bytes(buffer[: frames.seal(buffer, 2 + len(content))])
    line = bytes.fromhex(vector["line"])
    return _differs("sealed", sealed, line) or _differs("content", _frame(line), content)


def _frame_bad(vector):
    return _differs("content", _frame(bytes.fromhex(vector["line"])), None)


def _frame_session(vector):
    # the dialogue as a whole is held against edge/ and gateway/; here, that each side's frames are whole
    whole = [_frame(bytes.fromhex(vector[side])) for side in ("ask", "answer")]
    return _differs("whole", [content is not None for content in whole], [True, True])


CHECKS = {
    "packs-good": _pack_good,
    "packs-truncated": _pack_truncated,
    "packs-bad": _pack_bad,
    "packs-unencodable": _pack_unencodable,
    "topics-good": _topic_good,
    "topics-bad": _topic_bad,
    "stored-good": _stored_good,
    "stored-bad": _stored_bad,
    "messages-good": _message_good,
    "messages-bad": _message_bad,
    "releases-good": _release_good,
    "releases-bad": _release_bad,
    "rfc8428": _rfc8428,
    "frames-good": _frame_good,
    "frames-bad": _frame_bad,
    "frames-session": _frame_session,
}


def main(root, name):
    sys.path.insert(0, root)
    count = 0
    for vector in vectors(f"{root}/tests/vectors/{source(name)}.json"):
        gc.collect()
        wrong = problem(name, vector)
        count += 1
        if wrong:
            print(f"{vector['name']}: {wrong}")
    print(count)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
