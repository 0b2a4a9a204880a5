"""The receiver as watches meet it: mutual TLS, HTTP with its limits, keep-alive, crashes, the virtual clock."""

import http.client
import signal
import socket
import ssl
import threading
import time

import pytest

from simulator.provision import HOST, provision
from simulator.receiver import cbor
from simulator.receiver.clock import ClockError, Teller
from simulator.receiver.store import Store
from simulator.receiver_process import ReceiverProcess
from tests.receiver.conftest import Served, author_of

RECORDS = [[1, 0, 31, "power"], [4, 60, 96, [1, 2, 3]]]
HEADERS = {"Content-Type": "application/cose"}


def pem_files(folder, bundle):
    """The watch's certificate and key as files, which is what `ssl` takes."""
    folder.mkdir(exist_ok=True)
    (folder / "client.pem").write_text(ssl.DER_cert_to_PEM_cert(bundle.files["client.der"]))
    key = ssl.DER_cert_to_PEM_cert(bundle.nvs["client_key"]).replace("CERTIFICATE", "EC PRIVATE KEY")
    (folder / "client.key").write_text(key)
    return folder / "client.pem", folder / "client.key"


@pytest.fixture
def context(provisioned, tmp_path):
    """TLS as the first watch speaks it."""
    context = ssl.create_default_context(cadata=provisioned.bundle.files["ca.der"])
    context.load_cert_chain(*pem_files(tmp_path / "pem", provisioned.bundle))
    return context


def connect(served, context):
    """A TLS socket; with TLS 1.3 a refusal of the client's certificate shows only when it is read from."""
    plain = socket.create_connection(("127.0.0.1", served.port), timeout=10)
    return context.wrap_socket(plain, server_hostname=HOST)


def client(served, context):
    connection = http.client.HTTPConnection(HOST, served.port, timeout=10)
    connection.sock = connect(served, context)
    return connection


def post(connection, body, headers=None, path="/v1/segments", method="POST"):
    connection.request(method, path, body, HEADERS if headers is None else headers)
    response = connection.getresponse()
    assert int(response.headers["Content-Length"]) > 0
    return response.status, cbor.loads(response.read())


def test_a_watch_uploads_several_segments_over_one_connection(served, context, author):
    connection = client(served, context)
    first_socket = connection.sock
    for number in (1, 2, 3):
        status, receipt = post(connection, author.segment(RECORDS))
        claims = cbor.loads(receipt.value[2])
        assert (status, claims[-70001], claims[-70003], claims[-70004]) == (200, number, author.previous, 0)
        assert abs(claims[6] - time.time()) < 60
    assert connection.sock is first_socket


def test_the_answer_is_cose_or_cbor_and_tells_no_more(served, context, author):
    connection = client(served, context)
    for body, content_type in ((author.segment(RECORDS), "application/cose"), (b"\x00", "application/cbor")):
        connection.request("POST", "/v1/segments", body, HEADERS)
        response = connection.getresponse()
        length = str(len(response.read()))
        assert response.getheaders() == [("content-length", length), ("content-type", content_type)]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_either_version_of_tls_serves_with_forward_secrecy(served, context, author, version):
    context.minimum_version = context.maximum_version = version
    connection = client(served, context)
    name, _, bits = connection.sock.cipher()
    assert ("ECDHE-ECDSA" in name or name.startswith("TLS_")) and bits >= 128
    assert post(connection, author.segment(RECORDS))[0] == 200


def refused_by(served, context):
    with pytest.raises((ssl.SSLError, ConnectionError)), connect(served, context) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        if not tls.recv(100):
            raise ConnectionError("closed without an answer")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_clients_without_a_certificate_of_this_authority_are_refused(served, provisioned, tmp_path, version):
    stranger = provision(tmp_path / "stranger", seed=99)
    server_files = provisioned.state / "server.pem", provisioned.state / "server.key"
    for files in (None, pem_files(tmp_path / "pem2", stranger.bundle), server_files):
        context = ssl.create_default_context(cadata=provisioned.bundle.files["ca.der"])
        context.minimum_version = context.maximum_version = version
        if files:
            context.load_cert_chain(*files)
        refused_by(served, context)


def test_the_server_is_not_taken_for_another_by_name_or_authority(served, context, tmp_path):
    plain = socket.create_connection(("127.0.0.1", served.port), timeout=10)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        context.wrap_socket(plain, server_hostname="other.test")
    stranger = provision(tmp_path / "stranger", seed=99)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(served, ssl.create_default_context(cadata=stranger.bundle.files["ca.der"]))


def test_each_wrong_request_is_answered_with_its_reason(served, context, author):
    connection = client(served, context)
    message = author.segment(RECORDS)
    assert post(connection, message, {"Content-Type": "text/plain"}) == (
        415, {-70005: "content type: not application/cose"})
    assert post(connection, iter([message])) == (
        411, {-70005: "content length: missing"})
    assert post(connection, bytes(256 * 1024 + 1)) == (413, {-70005: "segment: 262145 bytes, at most 262144"})
    assert post(connection, message, path="/v1/other") == (404, {-70005: "Not Found"})
    assert post(connection, message, method="PUT") == (405, {-70005: "Method Not Allowed"})
    assert post(connection, b"") == (400, {-70005: "segment: cut short"})
    assert post(connection, message)[0] == 200  # and the connection still serves


def test_a_body_that_claims_too_much_is_refused_before_it_comes(served, context):
    tls = connect(served, context)
    tls.sendall(b"POST /v1/segments HTTP/1.1\r\nHost: x\r\nContent-Type: application/cose\r\n"
                b"Content-Length: 99999999999\r\n\r\n")
    assert tls.recv(100).startswith(b"HTTP/1.1 413 ")


def test_what_is_no_http_or_has_endless_headers_is_answered_400_and_closed(served, context):
    for request in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"x-a: " + b"a" * 40_000):
        tls = connect(served, context)
        tls.sendall(request)
        received = b""
        while data := tls.recv(4096):
            received += data
        assert received.startswith(b"HTTP/1.1 400 ")


def test_slow_clients_are_dropped_and_do_not_hold_up_others(provisioned, context, author):
    served = Served(provisioned.state, "--timeout", "0.5")
    message = author.segment(RECORDS)
    head = b"POST /v1/segments HTTP/1.1\r\nHost: x\r\nContent-Type: application/cose\r\nContent-Length: %d\r\n\r\n"
    try:
        silent, slow_head, slow_body = (connect(served, context) for _ in range(3))
        slow_head.sendall(b"POST /v1/")
        slow_body.sendall(head % len(message) + message[:-1])
        idle = client(served, context)
        assert post(idle, message)[0] == 200
        for tls in (silent, slow_head, slow_body, idle.sock):
            tls.settimeout(5)
            started = time.monotonic()
            with pytest.raises((ssl.SSLError, ConnectionError)):
                if tls.recv(100) == b"":
                    raise ConnectionError("closed")
            assert time.monotonic() - started < 3
        assert post(client(served, context), message)[0] == 200
    finally:
        served.stop()


def test_a_connection_cut_in_the_body_stores_nothing_and_leaves_the_receiver_well(served, context, author):
    message = author.segment(RECORDS)
    tls = connect(served, context)
    tls.sendall(b"POST /v1/segments HTTP/1.1\r\nHost: x\r\nContent-Type: application/cose\r\nContent-Length: %d\r\n\r\n"
                % len(message) + message[:-1])
    tls.close()
    assert post(client(served, context), message)[0] == 200
    assert "Traceback" not in served.log.read_text()


def test_a_killed_receiver_still_has_what_it_gave_receipts_for(provisioned, context, author):
    served = Served(provisioned.state)
    message = author.segment(RECORDS)
    _, first = post(client(served, context), message)
    served.process.send_signal(signal.SIGKILL)
    served.process.wait(timeout=10)
    served = Served(provisioned.state)
    try:
        status, again = post(client(served, context), message)
    finally:
        served.stop()
    assert status == 200
    assert cbor.loads(again.value[2]) == cbor.loads(first.value[2]) | {-70004: 1}


def test_a_terminated_receiver_ends_at_once_and_frees_its_port(served, context, author):
    post(client(served, context), author.segment(RECORDS))
    started = time.monotonic()
    served.stop()
    assert time.monotonic() - started < 4
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", served.port), timeout=5)


def test_the_virtual_clock_gives_each_watchs_receipts_its_own_time(provisioned, context, author):
    served = Served(provisioned.state, "--virtual", "1893456000999")

    def received_s(author):
        return cbor.loads(post(client(served, context), author.segment(RECORDS))[1].value[2])[6]

    try:
        times = [received_s(author)]
        other = author_of(provisioned.bundles[1])
        mine, others = (Teller(("127.0.0.1", *served.clock_port), each.ueid) for each in (author, other))
        mine.tell(1_893_459_600_000)
        others.tell(1_893_400_000_000)
        times += [received_s(author), received_s(other)]
        with pytest.raises(ClockError, match="or the watch has lived before"):
            again = Teller(("127.0.0.1", *served.clock_port), b"\1" * 17)
            again.tell(1)
            again.close()
            while True:  # until its end has been seen
                Teller(("127.0.0.1", *served.clock_port), b"\1" * 17).tell(1)
        mine.tell(1_893_459_601_000)
        times += [received_s(author), received_s(other)]
    finally:
        served.stop()
    assert times == [1_893_456_000, 1_893_459_600, 1_893_400_000, 1_893_459_601, 1_893_400_000]
    with pytest.raises(ClockError, match="the receiver has ended"):
        mine.tell(1_893_459_602_000)
    with pytest.raises(ClockError, match="receiver 127.0.0.1 port .*: Connection refused"):
        Teller(("127.0.0.1", *served.clock_port), author.ueid)


def test_what_is_no_time_ends_its_connection_and_no_other(provisioned):
    served = Served(provisioned.state, "--virtual", "0")
    try:
        for junk in (b"", b"x", bytes(24), bytes(1000)):
            with socket.create_connection(("127.0.0.1", *served.clock_port), timeout=10) as connection:
                connection.sendall(junk)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(100):
                    pass
        Teller(("127.0.0.1", *served.clock_port), provisioned.bundle.ueid).tell(1)
    finally:
        served.stop()


def test_a_receiver_ends_with_who_started_it(provisioned):
    receiver = ReceiverProcess(provisioned.state, 0)
    receiver._process.stdin.close()
    assert receiver._process.wait(timeout=10) == -signal.SIGTERM
    receiver.close()


def test_retention_is_enforced_when_the_receiver_starts(provisioned, context, author):
    database = f"sqlite:///{provisioned.state}/receiver.db"
    for days, expected in ((0, 1), (7, 1), (8, 0)):
        now_s = 1_893_456_000 + days * 86_400
        served = Served(provisioned.state, "--virtual", f"{now_s}000", "--retention-days", "7")
        if days == 0:
            post(client(served, context), author.segment(RECORDS))
        deadline = time.monotonic() + 5
        store = Store(database)
        while store.counts()["segments"] != expected and time.monotonic() < deadline:
            time.sleep(0.05)
        assert store.counts()["segments"] == expected
        store.close()
        served.stop()


def test_watches_that_upload_at_once_all_get_their_receipts(served, provisioned, context):
    statuses: list[int] = []

    def upload(author):
        connection = client(served, context)
        statuses.extend(post(connection, author.segment(RECORDS))[0] for _ in range(10))

    threads = [threading.Thread(target=upload, args=(author_of(bundle),)) for bundle in provisioned.bundles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert statuses == [200] * 20
