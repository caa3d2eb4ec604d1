"""`mqtts`: the broker's certificate is checked, and ours is shown."""

import asyncio
import ssl

import pytest

from ingest import config
from ingest.connection import retained
from ingest.errors import BrokerGone
from tests.ingest.test_connection import Peer
from tests.parts import certificates


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With ca.pem; server.pem and ingest.pem that it signed, each with its .key; and a stranger.pem."""
    return certificates.make(tmp_path_factory.mktemp("certificates"), ["server", "ingest"])


def statuses(folder, **files):
    """What an mqtts peer that asks for a certificate retains: [] from it, and the CN that it saw."""
    seen = []

    async def serve(reader, writer):
        peer = Peer(reader, writer)
        subject = writer.get_extra_info("ssl_object").getpeercert()["subject"]
        seen.append(dict(pair for (pair,) in subject)["commonName"])
        await peer.welcome()

    async def work():
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        path = folder / "ingest.yaml"
        named = "".join(f"{key}: {name}\n" for key, name in files.items())
        path.write_text(f"broker: mqtts://127.0.0.1:{port}\nstore: sqlite:r.db\ndead_letters: d.db\n{named}")
        try:
            return await retained(config.load(path).address(), ["poles/+/+/up/status"], quiet_s=0.1)
        finally:
            server.close()

    return asyncio.run(work()), seen


def test_both_sides_show_a_certificate(folder):
    assert statuses(folder, ca="ca.pem", cert="ingest.pem", key="ingest.key") == ([], ["ingest"])


def test_a_broker_of_another_ca_is_not_trusted(folder):
    with pytest.raises(BrokerGone, match="CERTIFICATE_VERIFY_FAILED"):
        statuses(folder, ca="stranger.pem", cert="ingest.pem", key="ingest.key")


def test_without_our_certificate_the_broker_ends_it(folder):
    with pytest.raises(BrokerGone):
        statuses(folder, ca="ca.pem")
