"""The way to the broker: TCP or TLS, and the CONNECT packet on it. Needed for a moment only, so a guest.

Certificates stand in the board's folder: ca, cert and key, as .der or .pem; CPython reads the last two only as .pem.
"""

import sys

from edge.mqtt import TICK_S, head, text

MICROPYTHON = sys.implementation.name == "micropython"


def dial(config: dict, board, will: bytes):
    """A stream whose drain() sends CONNECT. MicroPython looks the name up here, and nothing else runs meanwhile."""
    uplink = config["uplink"]
    context = _context(board.folder) if uplink["tls"] else None
    link = _stream(uplink["host"], uplink["port"], context)
    link.out_buf = _hello(config, board.folder, will)
    return link


def reason(error, board):
    """What a status says of it: a word, or an errno."""
    why = error.args[0] if error.args else "lost"
    if isinstance(error, ValueError) and "certificate" in why:
        # without the time no certificate is valid
        return "clock" if board.utc_ms() is None else "certificate: " + why.strip()
    return "tls %d" % why if isinstance(why, int) and why < 0 else why  # Mbed TLS has negative numbers


def _stream(host: str, port: int, context):
    if not MICROPYTHON:
        from edge.cpython_stream import Stream

        return Stream(host, port, context)
    import errno
    import socket
    from asyncio import StreamReader

    try:
        address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    except OSError:
        raise OSError("name")  # noqa: B904 - MicroPython has no `from`
    link = raw = socket.socket(address[0])
    if sys.platform == "linux":
        raw.setsockopt(6, 1, 1)  # TCP_NODELAY; boards have no such option, and wait 40 ms with the rest of a packet
    try:
        link.setblocking(False)
        try:
            link.connect(address[-1])
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        if context:
            link = context.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
    except Exception:
        raw.close()
        raise
    # with both, because a TLS handshake that fails lets go of the socket, open
    return StreamReader(link, raw)  # type: ignore[arg-type]


def _context(folder: str):
    if MICROPYTHON:
        import tls  # type: ignore[import-not-found]
    else:
        import ssl as tls
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)  # which verifies the broker's certificate and its name
    try:
        ca = _file(folder, "ca.der", "ca.pem")
        if MICROPYTHON:
            context.load_verify_locations(ca)
            key = _file(folder, "key.der", "key.pem")
            if key:
                context.load_cert_chain(_file(folder, "cert.der", "cert.pem"), key)
        else:
            context.load_verify_locations(cadata=ca if ca[:1] == b"0" else ca.decode())
            if _file(folder, "key.pem"):
                context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
    except (OSError, ValueError):
        raise OSError("files")  # noqa: B904
    return context


def _file(folder: str, *names: str) -> bytes:
    for name in names:
        try:
            with open("%s/%s" % (folder, name), "rb") as file:
                return file.read()
        except OSError:
            pass
    return b""


def _hello(config: dict, folder: str, will: bytes):
    flags = 0x2C  # a will, QoS 1, retained; the session is kept
    node, user = config["node"], config["uplink"]["user"]
    body = text(node) + text("poles/%s/%s/up/status" % (config["area"], node)) + text(will)
    if user:
        flags |= 0x80
        body += text(user)
        password = _file(folder, "password").strip()
        if password:
            flags |= 0x40
            body += text(password)
    return head(0x10, len(body) + 10) + b"\0\4MQTT\4" + bytes((flags, 0, TICK_S * 2)) + body
