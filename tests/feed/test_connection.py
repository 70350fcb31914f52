"""Opening a connection: what is refused on the way, and verified TLS. On asyncio and on uvloop."""

import asyncio
import ssl
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from feed.connection import ConnectFailed, check_address, client_tls, connect
from feed.outbox import Outbox
from feed.transport import WsSink, now_ns
from tests.feed.raw_server import CLOSE, TEXT, Peer, RawServer, Recorder, forever, frame


def refusal(data: bytes):
    async def script(peer: Peer) -> None:
        await peer.send(data)
        await asyncio.sleep(0.2)

    return script


@pytest.mark.parametrize(
    ("answer", "retry_after"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0),
        (b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n", 30),
        (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n", 0),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 0),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         b"Sec-WebSocket-Accept: d3Jvbmc=\r\n\r\n", 0),
        (b"nonsense\r\n\r\n", 0),
    ],
)  # fmt: skip
def test_a_bad_handshake_is_refused(run, answer, retry_after):
    async def work() -> None:
        handler = Recorder()
        async with RawServer(refusal(answer), upgrade=False) as server:
            with pytest.raises(ConnectFailed) as caught:
                await connect(handler, server.url, timeout_s=1)
        assert caught.value.retry_after_s == retry_after
        assert handler.calls == []

    run(work())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(run, status):
    async def work() -> None:
        async with RawServer(forever) as target:
            answer = f"HTTP/1.1 {status} Moved\r\nLocation: {target.url}\r\nContent-Length: 0\r\n\r\n".encode()
            async with RawServer(refusal(answer), upgrade=False) as server:
                with pytest.raises(ConnectFailed):
                    await connect(Recorder(), server.url, timeout_s=1)
            assert target.connections == 0

    run(work())


@pytest.mark.parametrize(
    "extra", [b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"Sec-WebSocket-Protocol: chat\r\n"]
)
def test_what_we_did_not_offer_is_refused(run, extra):
    async def script(peer: Peer) -> None:
        assert b"sec-websocket-extensions" not in peer.request.lower()
        await peer.upgrade(extra)
        await peer.send(frame(b"hello"))
        await asyncio.sleep(0.2)

    async def work() -> None:
        handler = Recorder()
        async with RawServer(script, upgrade=False) as server:
            with pytest.raises(ConnectFailed, match="imposes"):
                await connect(handler, server.url)
        assert handler.calls == []

    run(work())


def test_a_slow_handshake_is_given_up_and_never_comes_alive(run):
    async def script(peer: Peer) -> None:
        await asyncio.sleep(0.3)
        await peer.upgrade()
        await asyncio.sleep(0.3)

    async def work() -> None:
        handler = Recorder()
        async with RawServer(script, upgrade=False) as server:
            with pytest.raises(ConnectFailed, match="within"):
                await connect(handler, server.url, timeout_s=0.25)
            await asyncio.sleep(0.5)
        assert handler.calls == []

    run(work())


def test_a_closed_port_is_an_error_of_its_own(run):
    async def work() -> None:
        async with RawServer(forever) as server:
            url = server.url
        with pytest.raises(ConnectFailed, match="no connection"):
            await connect(Recorder(), url)

    run(work())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ws://thalex.com/ws/api/v2", "loopback"),
        ("ws://10.0.0.1/", "loopback"),
        ("ws://127.0.0.1.example.com/", "loopback"),
        ("http://localhost/", "websocket address"),
        ("localhost:80", "websocket address"),
        ("wss://user:secret@thalex.com/", "user name"),
    ],
)
def test_addresses_that_must_not_be_used(run, url, words):
    async def work() -> None:
        with pytest.raises(ValueError, match=words) as caught:
            await connect(Recorder(), url)
        assert "secret" not in str(caught.value)

    run(work())


def test_addresses_that_may():
    for url in (
        "wss://thalex.com/ws/api/v2",
        "ws://127.0.0.1:1/",
        "ws://127.8.9.1/",
        "ws://[::1]:1/",
        "ws://localhost/",
    ):
        check_address(url, None)
    check_address("wss://thalex.com/", client_tls())


def test_contexts_that_do_not_verify_are_refused():
    careless = ssl.create_default_context()
    careless.check_hostname = False
    nameless = ssl.create_default_context()
    nameless.check_hostname = False
    nameless.verify_mode = ssl.CERT_NONE
    for context in (careless, nameless):
        with pytest.raises(ValueError, match="verify"):
            check_address("wss://thalex.com/", context)


def test_pings_must_satisfy_cancel_on_disconnect(run):
    async def work() -> None:
        for options in (
            {"ping_interval_s": 4, "cancel_on_disconnect_s": 6},
            {"pong_timeout_s": 2.0},
            {"pong_timeout_s": 0},
        ):
            with pytest.raises(ValueError, match="must be"):
                await connect(Recorder(), "ws://localhost:1/", **options)

    run(work())


# -- TLS, with an authority of our own ----------------------------------------------------------------------------


def certificate(issuer_key, issuer, subject: str, names: list[str], days: int, ca: bool = False):
    """A key and its certificate; ``days`` from now until it ends, negative: it has ended."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer or name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(text) for text in names]), critical=False)
        .sign(issuer_key or key, hashes.SHA256())
    )
    return key, built


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """(file of the authority's certificate, maker of server contexts)."""
    folder = tmp_path_factory.mktemp("tls")
    ca_key, ca = certificate(None, None, "our authority", ["ca"], 30, ca=True)
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))

    def server_context(host: str = "localhost", days: int = 30) -> ssl.SSLContext:
        key, leaf = certificate(ca_key, ca.subject, host, [host], days)
        file = folder / f"{host}{days}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + leaf.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    return str(ca_file), server_context


def test_verified_tls_carries_a_burst_right_after_the_handshake(run, authority):
    ca_file, server_context = authority
    received: list[bytes] = []

    async def script(peer: Peer) -> None:
        for _ in range(30):
            received.append(await peer.read_until(TEXT))
        await peer.send(frame(b"answer") + frame(b"\x03\xe8", CLOSE))

    async def work() -> None:
        handler, sink = Recorder(), WsSink()
        outbox = Outbox(sink)
        async with RawServer(script, tls=server_context()) as server:
            connection = await connect(handler, server.url, sink=sink, ssl_context=client_tls(ca_file))
            sent = [b"%d" % i + b"." * 3000 for i in range(30)]
            assert [outbox.submit(0, text, now_ns()) for text in sent] == [1] * 30
            await connection.wait_closed()
        assert received == sent
        assert handler.seen == [b"answer"]

    run(work())


@pytest.mark.parametrize(
    ("host", "days", "trusted", "words"),
    [
        ("localhost", 30, False, "certificate"),
        ("localhost", -1, True, "expired"),
        ("elsewhere.example", 30, True, "mismatch"),
    ],
)
def test_a_certificate_that_does_not_hold_is_never_connected_to(run, authority, host, days, trusted, words):
    ca_file, server_context = authority

    async def work() -> None:
        handler = Recorder()
        async with RawServer(forever, tls=server_context(host, days)) as server:
            with pytest.raises(ConnectFailed, match=f"(?i){words}"):
                await connect(handler, server.url, ssl_context=client_tls(ca_file) if trusted else None)
        assert handler.calls == []

    run(work())


def test_an_old_tls_is_refused(run, authority):
    ca_file, server_context = authority
    context = server_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    async def work() -> None:
        async with RawServer(forever, tls=context) as server:
            with pytest.raises(ConnectFailed):
                await connect(Recorder(), server.url, ssl_context=client_tls(ca_file))

    run(work())


def test_plain_text_to_a_tls_port_and_back(run, authority):
    _, server_context = authority

    async def work() -> None:
        async with RawServer(forever, tls=server_context()) as server:
            with pytest.raises(ConnectFailed):
                await connect(Recorder(), f"ws://localhost:{server.port}/", timeout_s=1)
        async with RawServer(forever) as server:
            with pytest.raises(ConnectFailed):
                await connect(Recorder(), f"wss://localhost:{server.port}/", timeout_s=1)

    run(work())
