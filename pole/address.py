"""Where the operator's broker is, and how to get in: options say it, and a site file what they leave out."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pole import secret

USER = "operator"
LOCAL = f"mqtt://{USER}@127.0.0.1:1883"


def from_site(path: Path, pole: str, device: str) -> tuple[str, Path | None]:
    """(URL, ca) of the broker of a device's node. Raises FileProblem; ValueError where it might be several."""
    from device_profiles import site as sites

    site = sites.load(path)
    owners = [site.node_of(each.bus) for each in site.devices if (each.pole, each.device) == (pole, device)]
    # a device that the file does not know may still be on the broker, and is looked for there
    brokers = {site.broker_of(node) for node in owners or (*site.gateways, *site.controllers)}
    if len(brokers) > 1:
        raise ValueError(f"{path}: {pole} {device} is not in it, and its nodes have several brokers: say --broker")
    url, ca = brokers.pop()
    return url.replace("://", f"://{USER}@", 1), ca


def password_beside(path: Path) -> Path | None:
    """operator.password in the site file's folder, where there is one."""
    beside = path.with_name(f"{USER}.password")
    return beside if beside.exists() else None


def client_options(
    *, pole: str, device: str, broker: str | None, password_file: Path | None, ca: Path | None, site: Path | None
) -> dict[str, Any]:
    """What aiomqtt.Client needs to reach the broker. Raises ValueError, FileProblem."""
    if broker is None and site is not None:
        broker, own = from_site(site, pole, device)
        ca = ca or own
    if password_file is None and site is not None:
        password_file = password_beside(site)
    return options(broker=broker or os.environ.get("POLE_BROKER") or LOCAL, password_file=password_file, ca=ca)


def options(*, broker: str, password_file: Path | None, ca: Path | None) -> dict[str, Any]:
    """As client_options, of a broker that is known. Raises ValueError."""
    parts = urlsplit(broker)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError(f"--broker {broker!r} is no address: write mqtt://user@host:port, or mqtts:// for TLS")
    found: dict[str, Any] = {
        "hostname": parts.hostname,
        "port": parts.port or (8883 if parts.scheme == "mqtts" else 1883),
        "username": parts.username,
        "password": secret.read("--password-file", password_file) if password_file else None,
    }
    if parts.scheme == "mqtts":
        import aiomqtt

        found["tls_params"] = aiomqtt.TLSParameters(ca_certs=str(ca) if ca else None)
    return found
