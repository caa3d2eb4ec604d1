"""SOAP 1.2 with the password proof that ONVIF devices ask for: bodies IN, envelopes OUT, and back.

The proof is a UsernameToken with a digest (OASIS WSS UsernameToken Profile 1.0, 3.1):
base64(sha1(nonce + created + password)), `created` in the device's own clock.
A device's XML is read without DTD, entities or references, and with a limit to its elements.
"""

import base64
import hashlib
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from protocols.errors import BadAnswer, Refused
from protocols.head import printable

MOST_BODY = 1 << 20  # GetProfiles takes about 3 KB a profile, and a recorder has many
MOST_ELEMENTS, MOST_DEPTH = 50_000, 100
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
_MESSAGE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0"


DENIED = 401  # the code of a Refused that is about user and password, as HTTP and RTSP number it


def envelope(body: str, security: str = "") -> bytes:
    """A request's XML."""
    header = f"<s:Header>{security}</s:Header>" if security else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_SOAP}">{header}'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def digest(nonce: bytes, created: str, password: str) -> str:
    """The proof: nonce as bytes, created as it stands in the message."""
    return base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()


def username_token(*, user: str, password: str, created: str, nonce: bytes) -> str:
    """The header's element. created: "2026-11-21T12:00:00Z" by the device's clock."""
    return (
        f'<w:Security s:mustUnderstand="1" xmlns:w="{_WSSE}" xmlns:u="{_WSU}"><w:UsernameToken>'
        f"<w:Username>{escape(user)}</w:Username>"
        f'<w:Password Type="{_PROFILE}#PasswordDigest">{digest(nonce, created, password)}</w:Password>'
        f'<w:Nonce EncodingType="{_MESSAGE}#Base64Binary">{base64.b64encode(nonce).decode()}</w:Nonce>'
        f"<u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
    )


def answer(document: bytes) -> Element:
    """A response's XML -> the element in its Body. Raises Refused for a Fault, BadAnswer for anything else."""
    root = parsed(document)
    body = child(root, "Body") if local(root) == "Envelope" else None
    if body is None or not len(body):
        raise BadAnswer("header", f"no SOAP answer: <{printable(local(root), 40)}>")
    if local(body[0]) == "Fault":
        raise _refusal(body[0])
    return body[0]


def _refusal(fault: Element) -> Refused:
    # SOAP 1.2: Code/Subcode/Value, Reason/Text; SOAP 1.1, which some firmware still speaks: faultcode, faultstring
    codes = [child(fault, "Code", *["Subcode"] * depth, "Value") for depth in (2, 1, 0)] + [child(fault, "faultcode")]
    told = [text(code).rpartition(":")[2] for code in codes if code is not None]
    reasons = [text(child(fault, "Reason", "Text")), text(child(fault, "faultstring"))]
    words = [printable(word) for word in (*told[:1], *reasons) if word]
    denied = any(word.lower() in ("notauthorized", "failedauthentication") for word in told)
    return Refused(DENIED if denied else 0, f"the device refuses: {': '.join(words) or 'no reason given'}")


def parsed(document: bytes) -> Element:
    """XML -> its root. Raises BadAnswer, also where it is too large, too deep or brings a DTD."""
    if len(document) > MOST_BODY:
        raise BadAnswer("length", f"XML of {len(document)} bytes, {MOST_BODY} are the most")
    parser = DefusedXMLParser(target=_Bounded(), forbid_dtd=True)
    try:
        parser.feed(document)
        root = parser.close()
    except DefusedXmlException as error:
        raise BadAnswer("noise", f"XML with a DTD or entities ({type(error).__name__})") from None
    except (ParseError, ValueError, LookupError) as error:
        raise BadAnswer("noise", f"no XML: {printable(str(error), 80)}") from None
    assert isinstance(root, Element)
    return root


class _Bounded(TreeBuilder):
    def __init__(self) -> None:
        super().__init__()
        self._elements = self._depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._elements += 1
        self._depth += 1
        if self._elements > MOST_ELEMENTS or self._depth > MOST_DEPTH:
            raise BadAnswer("length", f"XML with more than {MOST_ELEMENTS} elements, or deeper than {MOST_DEPTH}")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def local(element: Element) -> str:
    """Its name without the namespace: makers mix up the versions of ONVIF's namespaces."""
    return element.tag.rpartition("}")[2]


def child(element: Element, *path: str) -> Element | None:
    """The first child along a path of local names."""
    found: Element | None = element
    for name in path:
        found = next((below for below in found if local(below) == name), None) if found is not None else None
    return found


def text(element: Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""
