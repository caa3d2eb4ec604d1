"""Proofs of a password, against those of others' clients."""

import pytest

from protocols.digest import authorization, challenges
from protocols.errors import Refused


def proof(*offered, user="Mufasa", password="Circle of Life", method="GET", uri="/dir/index.html", **more):
    more = {"cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", **more}
    return authorization(challenges(offered), user=user, password=password, method=method, uri=uri, **more)


RFC = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def test_the_examples_of_rfc_7616():
    md5 = proof(RFC.format("MD5"))
    assert 'response="8ca523f5e9506fed4657c9700eebdbec"' in md5
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in md5
    assert "qop=auth, nc=00000001, algorithm=MD5" in md5
    strong = proof(RFC.format("MD5"), RFC.format("SHA-256"))
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in strong
    assert "algorithm=SHA-256" in strong


@pytest.mark.parametrize(
    ("realm", "nonce", "user", "uri", "response"),
    [
        # an Aiphone camera and LibVLC 3.0.6 (Ullaakut/cameradar issue 199; the password is the user's name)
        (
            "Secret", "MzM4OC4yMTAxOToxMjc5Njk4MDEw", "aiphone", "rtsp://192.168.1.12:554/udp/unicast/aiphone_H264",
            "034830ad6eb4e6fa30e0b119bba32aa0",
        ),
    ],
)  # fmt: skip
def test_a_proof_that_a_camera_took(realm, nonce, user, uri, response):
    offer = f'Digest realm="{realm}", nonce="{nonce}"'
    assert f'response="{response}"' in proof(offer, user=user, password=user, method="DESCRIBE", uri=uri)


def test_digest_comes_before_basic_and_basic_only_where_it_is_allowed():
    both = ['Basic realm="IP Camera(C1214)"', 'Digest realm="IP Camera(C1214)", nonce="0191a41d87", stale="FALSE"']
    assert proof(*both, basic=True).startswith("Digest ")
    with pytest.raises(Refused) as told:
        proof(both[0], password="s3cret")
    assert "s3cret" not in str(told.value)
    assert proof(both[0], user="Aladdin", password="open sesame", basic=True) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_two_challenges_may_stand_in_one_header():
    found = challenges(['Basic realm="a, b", Digest realm="c \\"d\\"", nonce=x, qop="auth"', "Negotiate"])
    assert [(offer.scheme, dict(offer.parameters)) for offer in found] == [
        ("basic", {"realm": "a, b"}),
        ("digest", {"realm": 'c "d"', "nonce": "x", "qop": "auth"}),
        ("negotiate", {}),
    ]


@pytest.mark.parametrize(
    "offer",
    ["", "Negotiate", 'Digest realm="x", nonce="y", algorithm=MD4', 'Digest realm="x", nonce="y", qop="auth-int"'],
)
def test_what_we_cannot_answer_is_refused_without_a_word_of_the_password(offer):
    with pytest.raises(Refused) as told:
        proof(offer, password="s3cret", basic=True)
    assert "s3cret" not in str(told.value)


def test_a_realm_cannot_add_a_field_to_the_header():
    told = proof('Digest realm="a\\", response=\\"00", nonce="n"')
    assert challenges([told])[0].parameters["realm"] == 'a", response="00'
    assert len(challenges([told])[0].parameters["response"]) == 32


def test_a_header_without_an_end_is_not_read_to_its_end():
    """A camera's 100,000 characters of parameters took 0.6 s, in which nobody else was read."""
    long = "Digest " + ",".join(f"{number:x}=" for number in range(20_000))
    assert sum(len(offer.parameters) for offer in challenges([long] * 1000)) < 10_000
    assert len(challenges(["Basic, Digest"] * 1000)) < 20
