"""An authority of one run, and the broker's certificate for the addresses of loopback."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CA, CERTIFICATE, KEY = "ca.pem", "broker.pem", "broker.key"
DAYS = 30


def write(folder: Path) -> None:
    """ca.pem, broker.pem and broker.key in the folder. The authority's own key is not kept: it signs nothing more."""
    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    named = _name("Multipole fleet")
    root = _begun(named, authority.public_key(), named).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    alternative = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
    )
    signed = _begun(_name("broker"), server.public_key(), named).add_extension(alternative, critical=False)
    folder.mkdir(parents=True, exist_ok=True)
    for name, each in ((CA, root), (CERTIFICATE, signed)):
        (folder / name).write_bytes(each.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / KEY).touch(mode=0o600)
    (folder / KEY).write_bytes(
        server.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def listener(folder: Path, port: int) -> str:
    """Lines of mosquitto.conf: another listener, with TLS, on loopback."""
    return (
        f"listener {port} 127.0.0.1\ncafile {folder / CA}\ncertfile {folder / CERTIFICATE}\nkeyfile {folder / KEY}\n"
        "tls_version tlsv1.2\n"
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _begun(subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(issuer).public_key(key).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=DAYS))
    )  # fmt: skip
