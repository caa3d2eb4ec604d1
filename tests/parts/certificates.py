"""Certificates for tests: an authority, what it signed, and a stranger of its own."""

import subprocess

from tests.parts.servers import program


def make(folder, names):
    """In the folder: ca.pem; NAME.pem and NAME.key for each name, signed by it, for 127.0.0.1; and stranger.pem."""

    def openssl(*arguments):
        subprocess.run([program("openssl"), *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    for name in ("ca", "stranger"):
        openssl(*new, "-x509", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key")
    for name in names:
        alt = ("-addext", "subjectAltName=IP:127.0.0.1")
        openssl(*new, "-x509", *signed, "-subj", f"/CN={name}", *alt, "-keyout", f"{name}.key", "-out", f"{name}.pem")
    return folder
