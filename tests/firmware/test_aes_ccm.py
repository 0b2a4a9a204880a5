"""AES-CCM on the VM, against RFC 3610's vectors and the `cryptography` package (OpenSSL)."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Vm

CCM = """
from muster.cose.aes_ccm import CcmError, decrypt, encrypt

def attempt(function, *arguments):
    try:
        return function(*[bytes.fromhex(argument) for argument in arguments]).hex()
    except CcmError as error:
        return "CcmError: " + str(error)
"""
RFC_3610 = [  # the packets with an 8-byte tag: nonce, additional data, text, ciphertext and tag
    ("00000003020100a0a1a2a3a4a5", "0001020304050607", "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
     "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0"),
    ("00000004030201a0a1a2a3a4a5", "0001020304050607", "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3ba091d56e10400916"),
    ("00000005040302a0a1a2a3a4a5", "0001020304050607", "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
     "51b1e5f44a197d1da46b0f8e2d282ae871e838bb64da8596574adaa76fbd9fb0c5"),
]
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                                     HealthCheck.large_base_example])


def test_rfc_3610_packets(vm: Vm) -> None:
    key = bytes(range(0xC0, 0xD0)).hex()
    answers = vm(CCM + "key, packets = data\nresult = [attempt(encrypt, key, *packet) for packet in packets]",
                 [key, [packet[:3] for packet in RFC_3610]])
    assert answers == [packet[3] for packet in RFC_3610]


def test_lengths_at_the_edges_of_a_block_and_of_the_format(vm: Vm) -> None:
    key, nonce = bytes(range(16)), bytes(range(13))
    cases = [(key, nonce, bytes(range(aad)), bytes(range(100, 100 + text)))
             for aad in (0, 1, 13, 14, 15, 29, 30, 31) for text in (0, 1, 15, 16, 17, 31, 32, 33)]
    cases += [(key, nonce, b"\xaa" * aad, b"\x55" * text) for aad, text in ((65279, 0), (0, 65535), (65279, 65535))]
    hexes = [[part.hex() for part in case] for case in cases]
    sealed, opened = vm(CCM + "sealed = [attempt(encrypt, *one) for one in data]\n"
                        "result = [sealed, [attempt(decrypt, *one[:3], raw) for one, raw in zip(data, sealed)]]", hexes)
    assert sealed == [AESCCM(key, 8).encrypt(nonce, text, aad).hex() for key, nonce, aad, text in cases]
    assert opened == [case[3] for case in hexes]


@few
@given(batch=st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=13, max_size=13),
                                st.binary(max_size=60), st.binary(max_size=400)), min_size=1, max_size=20))
def test_ciphertexts_equal_those_of_openssl_and_open_again(vm: Vm, batch: list[tuple[bytes, ...]]) -> None:
    sealed = [AESCCM(key, 8).encrypt(nonce, text, aad).hex() for key, nonce, aad, text in batch]
    hexes = [[part.hex() for part in case] for case in batch]
    answers = vm(CCM + "result = [[attempt(encrypt, *one), attempt(decrypt, *one[:3], raw)] for one, raw in data]",
                 list(zip(hexes, sealed, strict=True)))
    assert answers == [[raw, case[3]] for case, raw in zip(hexes, sealed, strict=True)]


def test_each_flipped_bit_anywhere_is_refused(vm: Vm) -> None:
    parts = [bytes(range(16)), bytes(range(13)), b"muster", b"where the watch was"]
    parts[3] = AESCCM(parts[0], 8).encrypt(parts[1], parts[3], parts[2])
    cases = []
    for place, part in enumerate(parts):
        for bit in range(8 * len(part)):
            flipped = bytearray(part)
            flipped[bit // 8] ^= 1 << bit % 8
            cases.append([*parts[:place], bytes(flipped), *parts[place + 1:]])
    cases += [[*parts[:3], parts[3][:-1]], [*parts[:3], parts[3] + b"\0"], [*parts[:2], b"", parts[3]]]
    answers = vm(CCM + "result = [attempt(decrypt, *one) for one in data]",
                 [[part.hex() for part in case] for case in cases])
    assert answers == ["CcmError: the tag does not match"] * len(cases)


def test_keys_nonces_and_texts_of_another_length_are_refused(vm: Vm) -> None:
    key, nonce, long = "00" * 16, "00" * 13, "00" * 65536
    cases = [("00" * 15, nonce, "", ""), ("00" * 32, nonce, "", ""), (key, "00" * 12, "", ""), (key, "00" * 14, "", ""),
             (key, nonce, long, ""), (key, nonce, "", long)]
    sealed, opened = vm(CCM + "result = [[attempt(encrypt, *one) for one in data],"
                        "[attempt(decrypt, *one) for one in [one[:3] + [one[3] + '00' * 8] for one in data]]]", cases)
    assert sealed == opened == [
        "CcmError: the key is not 16 bytes", "CcmError: the key is not 16 bytes", "CcmError: the nonce is not 13 bytes",
        "CcmError: the nonce is not 13 bytes", "CcmError: more additional data than 65,279 bytes",
        "CcmError: the text is not 0 to 65,535 bytes"]
    assert vm(CCM + "result = [attempt(decrypt, data[0], data[1], '', '00' * n) for n in range(8)]", [key, nonce]) == [
        "CcmError: the text is not 0 to 65,535 bytes"] * 8
