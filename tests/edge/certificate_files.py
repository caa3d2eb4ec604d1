"""Certificates as the agent's TLS tests need them: valid, expired and early ones, as .der and as .pem."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Authority:
    """Signs. `write(folder, name, …)` makes NAME.der, NAME.pem, and its key as NAME.key.der and NAME.key.pem."""

    def __init__(self, name):
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed(self._name, self._key, [], (-DAY, DAY), authority=True)

    def _signed(self, subject, key, names, valid, *, authority=False):
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(
            self._name, subject, key.public_key(), x509.random_serial_number(), now + valid[0], now + valid[1]
        ).add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, SHA256())

    def write_own(self, folder):
        """ca.der and ca.pem."""
        _write(folder, "ca", self.certificate)

    def write(self, folder, name, *, common_name, ip=None, dns=(), valid=(-DAY, DAY), key_name=None):
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(each) for each in dns] + ([x509.IPAddress(ipaddress.ip_address(ip))] if ip else [])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        _write(folder, name, self._signed(subject, key, names, valid))
        for suffix, encoding, form in (
            ("der", Encoding.DER, PrivateFormat.PKCS8),
            ("pem", Encoding.PEM, PrivateFormat.TraditionalOpenSSL),
        ):
            path = folder / f"{key_name or name + '.key'}.{suffix}"
            path.write_bytes(key.private_bytes(encoding, form, NoEncryption()))


def _write(folder, name, certificate):
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, encoding in (("der", Encoding.DER), ("pem", Encoding.PEM)):
        (folder / f"{name}.{suffix}").write_bytes(certificate.public_bytes(encoding))
