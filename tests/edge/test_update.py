"""The controller's side of an update, on each interpreter."""

import base64
import json

import pytest

from tests.edge.controller import FILES, Signed

GOOD = {
    "version": "0.2.0",
    "board": "esp32",
    "size": 9,
    "sha256": "ab" * 32,
    "minimum": "0.1.0",
    "room": 1,
    "trial": 600,
}
MALFORMED = (
    b"", b"{}", b"[]", b"7", b"null", b'"0.2.0"', b"\xff\xfe", b"{" * 300, b"[" * 1000, b'{"version":"0.2.0"',
    json.dumps(GOOD | {"version": 2}).encode(),
    json.dumps(GOOD | {"version": "0.2.x"}).encode(),
    json.dumps(GOOD | {"version": None}).encode(),
    json.dumps(GOOD | {"minimum": []}).encode(),
    json.dumps(GOOD | {"size": "9"}).encode(),
    json.dumps(GOOD | {"sha256": 9}).encode(),
    json.dumps(GOOD | {"sha256": "ab"}).encode(),
    json.dumps(GOOD | {"trial": 0}).encode(),
    json.dumps(GOOD | {"room": -1}).encode(),
    json.dumps({label: GOOD[label] for label in GOOD if label != "trial"}).encode(),
)  # fmt: skip
TRICKS = (
    b"../main.py 4\nevil", b"/etc/x.py 4\nevil", b"edge/../../main.py 4\nevil", b"edge//x.py 4\nevil",
    b"edge/. 4\nevil", b"./x.py 4\nevil", b"edge/.. 4\nevil", b"edge/a\\b.py 4\nevil", b"edge/\x00.py 4\nevil",
    b"edge/A.py 4\nevil", b"edge/" + b"x" * 200 + b".py 4\nevil", b"edge/x.py four\nevil", b"edge/x.py\nevil",
    b"\xff\xff 4\nevil", b" 4\nevil", b"no line end at all", b"edge/x.py -4\nevil", b"edge/x.py 400\nevil",
)  # fmt: skip


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """Releases of which a 0.1.7 on esp32 has to refuse all but `good`, `newer` and the tricks, each with its word."""
    signed = Signed(tmp_path_factory.mktemp("signed"))
    good = signed.add("good")
    signed.add("newer", {**FILES, "edge/new.py": b"new"}, version="0.3.0")
    signed.blob("huge-room", b"x")
    signed.manifest("huge-room", json.dumps(GOOD | {"room": 1 << 50}).encode())
    refused = [("same", "same"), ("board", "board"), ("older", "downgrade"), ("ten", "downgrade")]
    signed.add("same", version="0.1.7")
    signed.add("board", board="rp2")
    signed.add("older", version="0.1.6")
    signed.add("ten", version="0.0.65535")  # as numbers, not as text
    signed.add("minimum", version="0.10.0", minimum="0.1.10")
    signed.manifest("large", json.dumps(GOOD | {"size": 512 * 1024 + 1}).encode())
    signed.manifest("empty", json.dumps(GOOD | {"size": 0}).encode())
    refused += [("minimum", "minimum"), ("large", "size"), ("empty", "size")]
    for number, text in enumerate(MALFORMED):
        signed.manifest(f"malformed{number}", text)
        refused.append((f"malformed{number}", "manifest"))
    line, _, text = good.payload.partition(b"\n")
    stranger = Signed(tmp_path_factory.mktemp("stranger")).add("good")
    signature = base64.b64decode(line)
    forged = (
        stranger.payload, b"\n", b"\n" * 9, line, line + b"\n", b"\n" + text, b"!" * 900, bytes(1500), b"A" * 1500,
        line + b"\n" + text[:-1], line + b"\n" + text + b" ", line[:-4] + b"\n" + text,
        line + b"\n" + text.replace(b"0.2.0", b"0.2.1"), base64.b64encode(bytes(256)) + b"\n" + text,
        base64.b64encode(b"\xff" * 256) + b"\n" + text, base64.b64encode(b"\0" + signature) + b"\n" + text,
        base64.b64encode(signature[::-1]) + b"\n" + text,
    )  # fmt: skip
    for number, payload in enumerate(forged):
        signed.put(f"forged{number}", payload)
        refused.append((f"forged{number}", "signature"))
    for number, blob in enumerate(TRICKS):
        signed.blob(f"trick{number}", blob)
    (signed.folder / "refused").write_text(json.dumps(refused))
    return signed


def test_update(interpreter, signed, tmp_path):
    output = interpreter.run("update", folder=str(tmp_path), signed=str(signed.folder), tricks=len(TRICKS))
    assert output.count("ok test_") == 15
    if interpreter.name == "micropython32":
        (figures,) = [line.split() for line in output.splitlines() if line.startswith("memory ")]
        assert int(figures[1]) < 6000, output  # while it fetches: what is loaded and what it holds
