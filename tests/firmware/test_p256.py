"""P-256 on the VM, against RFC 6979's vectors and the `cryptography` package (OpenSSL)."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Vm

FIRMWARE = Path(__file__).resolve().parent.parent.parent / "firmware"
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SCALARS = [1, 2, 3, 4, 5, 31, 32, 33, 2**43 - 1, 2**43, 2**215, 2**255, (N - 1) // 2, (N + 1) // 2, N - 3, N - 2, N - 1]

SIGN = """
from muster.cose.p256 import P256Error, public_key, shared_secret, sign, verify

def attempt(function, *arguments):
    try:
        answer = function(*[bytes.fromhex(argument) for argument in arguments])
        return answer.hex() if isinstance(answer, bytes) else answer
    except P256Error as error:
        return "P256Error: " + str(error)
"""
BAD_PRIVATE = "P256Error: the private key is not 32 bytes of 1 to n - 1"
BAD_PUBLIC = "P256Error: the public key is not an uncompressed point of P-256"

few = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                                     HealthCheck.large_base_example])
secrets = st.integers(1, N - 1)


def octets(number: int) -> str:
    return number.to_bytes(32, "big").hex()


def public(secret: int) -> str:
    key = ec.derive_private_key(secret, ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()


def coordinates(key: str) -> tuple[int, int]:
    return int(key[2:66], 16), int(key[66:], 16)


def signature(secret: int, digest: str, deterministic: bool = True) -> str:
    key = ec.derive_private_key(secret, ec.SECP256R1())
    algorithm = ec.ECDSA(utils.Prehashed(SHA256()), deterministic_signing=deterministic)
    return "".join(map(octets, utils.decode_dss_signature(key.sign(bytes.fromhex(digest), algorithm))))


def verifies(key: str, digest: str, sig: str) -> bool:
    """What OpenSSL says."""
    der = utils.encode_dss_signature(int(sig[:64], 16), int(sig[64:], 16))
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(key)).verify(
            der, bytes.fromhex(digest), ec.ECDSA(utils.Prehashed(SHA256())))
    except InvalidSignature:
        return False
    return True


def test_rfc_6979_appendix_a_2_5(vm: Vm) -> None:
    secret = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
    digests = [hashlib.sha256(message).hexdigest() for message in (b"sample", b"test")]
    answers = vm(SIGN + "result = [attempt(public_key, data[0])] + [attempt(sign, data[0], one) for one in data[1]]",
                 [secret, digests])
    assert answers == [
        "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
        "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ]


def test_the_table_of_the_base_point_is_that_of_a_signed_comb(vm: Vm) -> None:
    base, made = vm("from muster.cose.p256 import _BASE, _comb\n"
                    "result = [_BASE.hex(), _comb(*[int(one) for one in data]).hex()]",
                    [str(one) for one in coordinates(public(1))])
    points = [public(2**215 + sum(2 ** (43 * i) * (1 if entry >> i & 1 else -1) for i in range(5)))[2:]
              for entry in range(32)]
    assert base == "".join(points)
    assert made == base


def test_public_keys_of_the_smallest_and_largest_secrets(vm: Vm) -> None:
    answers = vm(SIGN + "result = [attempt(public_key, one) for one in data]", list(map(octets, SCALARS)))
    assert answers == list(map(public, SCALARS))


@few
@given(batch=st.lists(st.tuples(secrets, st.binary(min_size=32, max_size=32)), min_size=8, max_size=8))
def test_keys_signatures_and_secrets_equal_those_of_openssl(vm: Vm, batch: list[tuple[int, bytes]]) -> None:
    cases = [(octets(secret), digest.hex(), public(other))
             for (secret, digest), (other, _) in zip(batch, reversed(batch), strict=True)]
    answers = vm(SIGN + "result = [[attempt(public_key, secret), attempt(sign, secret, digest),"
                        " attempt(shared_secret, secret, other)] for secret, digest, other in data]", cases)
    for (secret, digest), (_, _, other), answer in zip(batch, cases, answers, strict=True):
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(other))
        agreed = ec.derive_private_key(secret, ec.SECP256R1()).exchange(ec.ECDH(), peer)
        assert answer == [public(secret), signature(secret, digest.hex()), agreed.hex()]


def test_secrets_shared_by_edge_scalars(vm: Vm) -> None:
    pairs = [(mine, other) for mine in (1, 2, N - 1, 2**215) for other in (1, 2, N - 1, 7)]
    answers = vm(SIGN + "result = [attempt(shared_secret, secret, other) for secret, other in data]",
                 [(octets(mine), public(other)) for mine, other in pairs])
    assert answers == [public(mine * other % N)[2:66] for mine, other in pairs]


@few
@given(secret=secrets, digest=secrets, flips=st.lists(st.integers(0, 511), max_size=6),
       flip=st.integers(0, 255))
def test_only_the_signature_of_that_digest_by_that_key_verifies(vm: Vm, secret: int, digest: int, flips: list[int],
                                                                flip: int) -> None:
    raw = octets(digest)
    sig = signature(secret, raw, deterministic=False)
    s = int(sig[64:], 16)
    good = [(public(secret), raw, sig), (public(secret), raw, sig[:64] + octets(N - s))]
    bad = [(public(secret), raw, (int(sig, 16) ^ 1 << place).to_bytes(64, "big").hex()) for place in flips]
    bad += [(public(secret), octets(digest ^ 1 << flip), sig), (public(N - secret), raw, sig)]
    answers = vm(SIGN + "result = [attempt(verify, *one) for one in data]", good + bad)
    assert answers == [True] * len(good) + [False] * len(bad)


def test_signatures_out_of_range_or_of_another_length_are_false(vm: Vm) -> None:
    key, digest, sig = public(5), "11" * 32, signature(5, "11" * 32)
    r, s = int(sig[:64], 16), int(sig[64:], 16)
    wrong = ["", sig[:-2], sig + "00"]
    wrong += [octets(a) + octets(b) for a in (0, N, 2**256 - 1, r) for b in (0, N, 2**256 - 1, s) if (a, b) != (r, s)]
    wrong += [octets(r + N) + octets(s)] if r + N < 2**256 else []
    assert vm(SIGN + "key, digest, wrong = data\nresult = [attempt(verify, key, digest, one) for one in wrong]",
              [key, digest, wrong]) == [False] * len(wrong)


def test_verifying_meets_the_special_cases_of_point_addition(vm: Vm) -> None:
    """Keys G, -G and 2**k G with digests that make both halves of the sum equal, opposite, small or nothing."""
    cases = []
    for secret in (1, N - 1, 2, 2**43, 2**215, N - 2**215):
        for digest in (0, 1, N - 1, N, 2**255):
            cases.append((public(secret), octets(digest), signature(secret, octets(digest), deterministic=False)))
        for r in (1, 2, 12345):
            cases.append((public(secret), octets(-r * secret % N), octets(r) + octets(1)))
            cases.append((public(secret), octets(r * secret % N), octets(r) + octets(1)))
    assert vm(SIGN + "result = [attempt(verify, *one) for one in data]", cases) == [verifies(*one) for one in cases]


def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """The sum of two different points, by the textbook."""
    slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P) % P
    x = (slope * slope - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def test_a_point_whose_x_is_not_less_than_n_verifies(vm: Vm) -> None:
    """One signature in 2**128 has such a nonce; here the key is made to fit: Q = r**-1 (R - e G), s = 1."""
    curve_b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    x = next(x for x in range(N + 1, P) if pow(x**3 - 3 * x + curve_b, (P - 1) // 2, P) == 1)
    point, r, digest = (x, pow(x**3 - 3 * x + curve_b, (P + 1) // 4, P)), x - N, 99
    total = add(point, coordinates(public(N - digest)))
    bits, key = f"{pow(r, -1, N):b}", total
    for bit in bits[1:]:
        tangent = (3 * key[0] ** 2 - 3) * pow(2 * key[1], -1, P) % P
        doubled = (tangent * tangent - 2 * key[0]) % P
        key = (doubled, (tangent * (key[0] - doubled) - key[1]) % P)
        key = add(key, total) if bit == "1" else key
    case = ("04" + octets(key[0]) + octets(key[1]), octets(digest), octets(r) + octets(1))
    assert verifies(*case)
    assert vm(SIGN + "result = attempt(verify, *data)", case) is True


def test_private_keys_out_of_range_are_refused(vm: Vm) -> None:
    wrong = ["", octets(0), octets(N), octets(2**256 - 1), octets(1)[2:], "00" + octets(1)]
    answers = vm(SIGN + "wrong, digest, key = data\nresult = [[attempt(public_key, one), attempt(sign, one, digest),"
                        " attempt(shared_secret, one, key)] for one in wrong]", [wrong, octets(1), public(1)])
    assert answers == [[BAD_PRIVATE] * 3] * len(wrong)


def test_a_digest_of_another_length_is_refused(vm: Vm) -> None:
    assert vm(SIGN + "result = [attempt(sign, data[0], '00' * 31), attempt(verify, data[1], '00' * 33, '01' * 64)]",
              [octets(1), public(1)]) == ["P256Error: the digest is not 32 bytes"] * 2


def test_points_off_the_curve_are_refused(vm: Vm) -> None:
    key = public(3)
    x, y = coordinates(key)
    wrong = ["", "00", key[:-2], key + "00", "02" + key[2:66], "06" + key[2:], "00" + key[2:], "04" + "00" * 64,
             "04" + octets(x) + octets(y ^ 1), "04" + octets(x ^ 1) + octets(y), "04" + octets(y) + octets(x),
             "04" + octets(P) + octets(y), "04" + "ff" * 64]
    zero = pow(0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B, (P + 1) // 4, P)
    wrong.append("04" + octets(P) + octets(zero))
    answers = vm(SIGN + "secret, wrong = data\nresult = [[attempt(shared_secret, secret, one),"
                        " attempt(verify, one, secret, '01' * 64)] for one in wrong]", [octets(9), wrong])
    assert answers == [[BAD_PUBLIC] * 2] * len(wrong)


@few
@given(batch=st.lists(st.binary(max_size=70) | st.tuples(st.just(b"\4"), st.binary(min_size=64, max_size=64)).map(
    b"".join), min_size=20, max_size=20))
def test_random_bytes_are_no_public_key(vm: Vm, batch: list[bytes]) -> None:
    answers = vm(SIGN + "result = [attempt(shared_secret, data[0], one) for one in data[1]]",
                 [octets(9), [one.hex() for one in batch]])
    assert answers == [BAD_PUBLIC] * len(batch)


def test_every_secret_takes_the_same_sequence_of_operations(vm: Vm) -> None:
    """The operations on points, for secrets of few bits, many bits, short and long ones, odd and even."""
    scalars = [2**255 - 1, 2**200, 2**128 + 1, N - 2**128, 0x5555 << 200, 0xAAAA << 236, N // 3]
    sequences = vm("""
from muster.cose import p256

def watched(name, function):
    def call(*arguments):
        sequence.append(name)
        return function(*arguments)
    return call

sequence = []
p256._double = watched("double ", p256._double)
p256._add = watched("add ", p256._add)
result = []
for secret in data:
    for function, argument in ((p256.sign, bytes(32)), (p256.shared_secret, p256.public_key(bytes(31) + b"\\x07"))):
        sequence = []
        function(bytes.fromhex(secret), argument)
        result.append("".join(sequence[-85:]))
""", list(map(octets, scalars)))
    assert set(sequences) == {"add " + "double add " * 42}


def test_tables_of_only_two_other_keys_are_kept(vm: Vm) -> None:
    digest = "22" * 32
    cases = [(public(secret), digest, signature(secret, digest)) for secret in (11, 12, 13, 11, 13, 12)]
    answers, kept = vm(SIGN + "from muster.cose import p256\n"
                       "result = [[attempt(verify, *one) for one in data], [len(one) for one in p256._combs.values()]]",
                       cases)
    assert answers == [True] * 6
    assert kept == [2048, 2048]


def test_it_signs_and_verifies_within_a_heap_of_256_kilobytes(vm: Vm) -> None:
    """Compiling the modules included: much garbage is made, but little is held. 64-bit words double the need."""
    kilobytes = 256 if vm.bits == 64 else 128
    script = f"""
import sys
sys.path.append({str(FIRMWARE)!r})
from muster.cose import p256
secret = bytes(31) + b"\\x07"
print(p256.verify(p256.public_key(secret), bytes(32), p256.sign(secret, bytes(32))))
"""
    run = subprocess.run([vm.program, "-X", f"heapsize={kilobytes}k", "-c", script], capture_output=True, text=True,
                         timeout=60, check=False)
    assert (run.stdout, run.stderr) == ("True\n", "")
