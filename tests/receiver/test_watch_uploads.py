"""The firmware's own COSE and the VM's own TLS against the receiver: uploads, receipts, and what is refused."""

import json

from simulator.provision import HOST, provision
from simulator.receiver import cbor

CONNECT = """
import socket, tls
def connect(port, ca, certificate, key, host):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED
    context.load_verify_locations(bytes.fromhex(ca))
    if certificate:
        context.load_cert_chain(bytes.fromhex(certificate), bytes.fromhex(key))
    plain = socket.socket()
    plain.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    return context.wrap_socket(plain, server_hostname=host)
def post(stream, body):
    stream.write(b"POST /v1/segments HTTP/1.1\\r\\nHost: r\\r\\nContent-Type: application/cose\\r\\n"
                 b"Content-Length: %d\\r\\n\\r\\n" % len(body))
    stream.write(body)
    status = int(stream.readline().split()[1])
    while True:
        line = stream.readline()
        if line in (b"\\r\\n", b""):
            break
        name, value = line.split(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, stream.read(length)
"""

UPLOAD = CONNECT + """
from muster.cose import aes_ccm, cbor, cose, p256
private, ueid = bytes.fromhex(data["sign_key"]), bytes.fromhex(data["ueid"])
recipient, receiver = bytes.fromhex(data["encryption"]), bytes.fromhex(data["signing"])
stream = connect(*data["connection"])
result, previous = [], bytes(32)
for number in (1, 2):
    key = bytes(range(number, number + 16))
    frames = [aes_ccm.encrypt(key, b"\\0" * 9 + index.to_bytes(4, "big"), cbor.dumps(["Muster", number, index]),
                              cbor.dumps(record)) for index, record in enumerate(data["records"])]
    header = {6: 1790000000, 256: ueid, 267: 1, 271: "0.1.0", -70001: number, -70002: previous}
    payload = cbor.dumps(header) + cose.wrap_key(key, recipient, bytes(31) + b"\\x05", bytes(13))
    payload += b"".join(cbor.dumps(frame) for frame in frames)
    signer = cose.Sign1(cose.key_id(p256.public_key(private)), len(payload))
    signer.update(payload)
    previous = signer.digest()
    status, receipt = post(stream, signer.head() + payload + signer.tail(private))
    claims = cbor.loads(cose.verify1(receipt, receiver))
    result.append([status, claims[-70001], claims[-70003] == previous, claims[-70004], claims[256] == ueid])
"""

REFUSALS = CONNECT + """
result = []
for connection in data:
    try:
        stream = connect(*connection)
        stream.write(b"GET / HTTP/1.1\\r\\nHost: r\\r\\n\\r\\n")
        result.append(bool(stream.read(1)))
    except (OSError, ValueError):  # ValueError: the server's certificate is wrong
        result.append(False)
"""


def test_segments_the_firmware_made_are_stored_and_its_receipts_verify(vm, served, provisioned, store):
    bundle = provisioned.bundle
    settings = json.loads(bundle.files["settings.json"])
    records = [[1, 0, 31, "power"], [4, 60, 96, [-1, 1 << 40]]]
    result = vm(UPLOAD, {
        "connection": [served.port, bundle.files["ca.der"].hex(), bundle.files["client.der"].hex(),
                       bundle.nvs["client_key"].hex(), HOST],
        "sign_key": bundle.nvs["sign_key"].hex(), "ueid": settings["ueid"], "records": records,
        "signing": settings["receiver_signing_key"], "encryption": settings["receiver_encryption_key"]})
    assert result == [[200, 1, True, 0, True], [200, 2, True, 0, True]]
    expected = [(index, cbor.dumps(record), None) for index, record in enumerate(records)]
    assert [stored.frames for stored in store.stored()] == [expected, expected]


def test_the_vm_and_the_receiver_refuse_each_other_without_the_right_certificates(vm, served, provisioned, tmp_path):
    own, other = provisioned.bundle, provision(tmp_path / "other", seed=99).bundle
    ca, key = own.files["ca.der"].hex(), own.nvs["client_key"].hex()
    certificate = own.files["client.der"].hex()
    result = vm(REFUSALS, [
        [served.port, ca, certificate, key, HOST], [served.port, ca, certificate, key, "localhost"],
        [served.port, ca, None, None, HOST],
        [served.port, ca, other.files["client.der"].hex(), other.nvs["client_key"].hex(), HOST],
        [served.port, other.files["ca.der"].hex(), certificate, key, HOST],
        [served.port, ca, certificate, key, "other.test"]])
    assert result == [True, True, False, False, False, False]
