"""The TLS listener that mosquitto.conf shows, taken in: a node is who its certificate says, and nobody else."""

import asyncio

import yaml

from pole.broker import CONFIGURATION, free_port
from tests.parts import certificates
from tests.promise.test_kills import settle

DIRECTIVES = ("cafile", "certfile", "keyfile", "tls_version", "require_certificate", "use_identity_as_username")


def take_in_tls(broker, folder, port):
    """Adds mosquitto.conf's own commented listener to the broker's configuration, with the test's files."""
    shown = [line.removeprefix("# ") for line in CONFIGURATION.read_text().splitlines() if line.startswith("# ")]
    values = {line.split(" ", 1)[0]: line for line in shown if line.split(" ", 1)[0] in DIRECTIVES}
    assert set(values) == set(DIRECTIVES), "mosquitto.conf no longer shows the listener that this test takes in"
    values |= {
        "cafile": f"cafile {folder}/ca.pem",
        "certfile": f"certfile {folder}/server.pem",
        "keyfile": f"keyfile {folder}/server.key",
    }
    path = broker.folder / "mosquitto.conf"
    path.write_text("\n".join([path.read_text(), f"listener {port} 127.0.0.1", *values.values(), ""]))


def test_a_gateway_with_its_certificate_is_read_and_one_with_anothers_is_not(chain, tmp_path):
    certificates.make(tmp_path, ["server", "gw-1"])
    port = free_port()

    async def scenario():
        city = chain(2)
        take_in_tls(city.broker, tmp_path, port)
        site = yaml.safe_load((tmp_path / "site.yaml").read_text())
        for gateway in site["gateways"].values():
            del gateway["password_file"]
            # gw-2 shows gw-1's certificate: the broker takes it for gw-1, who may not speak as gw-2
            gateway |= {"broker": f"mqtts://127.0.0.1:{port}", "ca": "ca.pem", "cert": "gw-1.pem", "key": "gw-1.key"}
        (tmp_path / "site.yaml").write_text(yaml.safe_dump(site))
        async with city:
            city.start()
            await settle(city, nodes=["gw-1"])
            async with asyncio.timeout(60):
                while "refused a message" not in city.gateways["gw-2"].log.read_text():
                    await asyncio.sleep(0.1)
            await asyncio.sleep(4)
            assert city.rows("SELECT DISTINCT node FROM packs") == [("gw-1",)]
            for gateway in city.gateways.values():
                await asyncio.to_thread(gateway.kill)
            assert city.spool("gw-2")["stored"] == 0
            assert city.spool("gw-2")["pending"] > 0, "what nobody may hear stays on the disk"
            assert "refused a message" in city.gateways["gw-2"].log.read_text()

    asyncio.run(scenario())
