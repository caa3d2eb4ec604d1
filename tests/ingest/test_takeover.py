"""Two ingests with one client id take the session from each other, and the log says so."""

import socket

import mqtt5

from tests.ingest.fakes import Service, wait_until


def take_session(broker):
    """Connects with ingest's client id, and stays until ingest has taken the session back."""
    with socket.create_connection(("127.0.0.1", broker.port), timeout=20) as thief:
        password = broker.passwords["ingest"].encode()
        thief.sendall(mqtt5.ConnectPacket("ingest-1", username="ingest", password=password, clean_start=False).write())
        while thief.recv(1000):
            pass


def test_a_second_ingest_of_one_name_is_suspected(broker, tmp_path):
    with Service(tmp_path / "ingest", broker) as service:

        def suspected():
            take_session(broker)
            return "at once; has another ingest our client_id?" in (service.folder / "log").read_text()

        wait_until(suspected, 30, "the suspicion")
        wait_until(lambda: service.health()[0] == 200, 30, "the session, once nobody else wants it")
        service.stop()
