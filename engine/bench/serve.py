"""The rig's server process: for each connection it plays the script that the address names, and tells what it took.

Scripts come pickled on standard input, results go pickled to standard output, first of all the ports,
plain and TLS, and the certificate. It ends when its
standard input does, hence with its parent. Loopback only.
"""

import base64
import hashlib
import os
import pickle
import select
import socket
import ssl
import sys
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from engine.bench.peer import Peer
from feed.exchange.tls import self_signed

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""
CLOSE = b"\x88\x02\x03\xe8"


@dataclass(frozen=True, slots=True)
class Script:
    """Frames to send, the requests that answer each, and whether these are compared to the byte.

    ``first``: how many requests come before the first frame.
    """

    frames: list[bytes]
    expected: list[tuple[bytes, ...]]
    exact: bool
    first: tuple[bytes, ...] = ()


def handshake(connection: socket.socket) -> str:
    """Take the upgrade (RFC 6455 section 4.2); the path that was asked for."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        chunk = connection.recv(1)
        if not chunk:
            raise ConnectionError("no request")
        text += chunk
    lines = text.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if "sec-websocket-key" in headers:
        digest = hashlib.sha1(headers["sec-websocket-key"].encode() + GUID).digest()
        answer = [
            b"HTTP/1.1 101 Switching Protocols",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest),
        ]
        connection.sendall(b"\r\n".join(answer) + b"\r\n\r\n")
    return lines[0].split(" ")[1]


def serve(connection: socket.socket, scripts: dict[str, Script]) -> object:
    """Play one script; (ns of each step, wrong answers)."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    address = urlsplit(handshake(connection))
    script = scripts[address.path.strip("/")]
    tls = connection if isinstance(connection, ssl.SSLSocket) else None
    peer = Peer(connection.fileno(), parse_qs(address.query)["spin"] == ["1"], tls)
    if script.first:
        peer.play([b"\x8a\x00"], [script.first], script.exact)
    result = peer.play(script.frames, script.expected, script.exact)
    connection.sendall(CLOSE)
    return result


def main() -> None:
    """Serve until the parent closes the pipe."""
    scripts: dict[str, Script] = pickle.load(sys.stdin.buffer)
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[-1]})
    tls = self_signed()
    with socket.create_server(("127.0.0.1", 0)) as plain, socket.create_server(("127.0.0.1", 0)) as encrypted:
        _tell((plain.getsockname()[1], encrypted.getsockname()[1], tls.certificate_pem))
        while True:
            ready, _, _ = select.select([plain, encrypted, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            listening = encrypted if encrypted in ready else plain
            connection, _ = listening.accept()
            try:
                if listening is encrypted:
                    connection = tls.context.wrap_socket(connection, server_side=True)
                result = serve(connection, scripts)
            except (OSError, KeyError) as error:
                result = repr(error)
            finally:
                connection.close()
            _tell(result)


def _tell(what: object) -> None:
    pickle.dump(what, sys.stdout.buffer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
