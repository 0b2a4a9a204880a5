"""Provisioning: an operator's authority and receiver, and the watches that they admit.

An operator's folder is laid out so:
    authority/            the CA's key and certificate
    receiver/             the receiver's state folder (simulator/receiver/state.py)
    receiver/prompts/     UEID.cose: the secret of a watch's prompt times, sealed to the receiver
A watch makes its keys itself and hands over what is public (tools/provision.py). For simulation they are made here, by
the seed, so that a day is the same each time, and are in no file.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from simulator.receiver import cbor
from simulator.receiver import state as receiver_state
from simulator.receiver.opening import unwrap
from simulator.receiver.state import (
    State,
    public_point,
    read_certificate,
    read_private_key,
    write_private_key,
)
from simulator.receiver.store import Store

HOST = "receiver.muster.test"
# Spans simulated dates and real ones; X.509 writes years up to 2049 in two digits, which every TLS library reads.
VALID_FROM, VALID_TO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
CA_KEY = "ca.key"
PROMPTS = "prompts"  # in the receiver's state folder: a file a watch
_MAX_DEVICES = 10_000
_OWN_SETTINGS = {"ueid", "receiver_signing_key", "receiver_encryption_key"}
_HOST = re.compile(r"(?=.{1,64}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


class ProvisionError(ValueError):
    """The folder or a value cannot be used; one line."""


@dataclass(frozen=True)
class Bundle:
    """What one watch is given."""

    ueid: bytes  # 0x01 and 16 bytes
    wearer: str  # pseudonym, 32 hex digits
    nvs: dict[str, bytes]  # sign_key (32-byte scalar), prompt_secret (32), client_key (DER)
    files: dict[str, bytes]  # ca.der, client.der, settings.json


@dataclass(frozen=True)
class Provision:
    """What a folder holds: the receiver's state and the bundles, in the order the watches were made."""

    state: Path
    bundles: list[Bundle]

    @property
    def bundle(self) -> Bundle:
        """The first watch's."""
        return self.bundles[0]


def provision(folder: str | Path, seed: int, devices: int = 1, host: str = HOST,
              settings: dict[str, Any] | None = None, now_s: int = 0, database: str | None = None) -> Provision:
    """Makes an operator and `devices` simulated watches in a new or empty `folder`. Raises ProvisionError, StoreError.

    Every byte follows from the `seed`.
    `host` is the receiver's name, in its certificate and in each watch's settings.json, which takes the rest from
    `settings`. `now_s` is the UTC second that registration is noted with, `database` the URL of another database than
    the state folder's own.
    """
    folder = Path(folder)
    if not 1 <= devices <= _MAX_DEVICES:
        raise ProvisionError(f"devices: {devices}, not 1 to {_MAX_DEVICES}")
    if seed < 0:
        raise ProvisionError(f"seed: {seed} is negative")
    settings = settings or {}
    check_settings(settings)
    secrets = _Secrets(seed)
    operator = Operator.make(folder, host, secrets)
    watches = [_device(index, secrets, operator, settings) for index in range(devices)]
    bundles = [bundle for bundle, _ in watches]
    operator.register([(bundle.ueid, public, bundle.wearer) for bundle, public in watches], now_s, database)
    return Provision(operator.state.folder, bundles)


def provision_again(folder: Path, seed: int, index: int, settings: dict[str, Any]) -> tuple[Bundle, bytes]:
    """What `provision` gave watch `index` in `folder` from `seed`, or would have with more devices, and the point that
    registers it: a watch of a simulated fleet, when its turn comes. Raises StateError.
    """
    secrets = _Secrets(seed)
    return _device(index, secrets, Operator.open(folder, secrets), settings)


class _Secrets:
    """Secrets by name: random ones, or those that follow from a seed by HKDF-Expand (RFC 5869)."""

    def __init__(self, seed: int | None):
        self._seed = None if seed is None else seed.to_bytes(max(32, (seed.bit_length() + 7) // 8), "big")

    def bytes(self, name: str, count: int) -> bytes:
        if self._seed is None:
            return os.urandom(count)
        return HKDFExpand(hashes.SHA256(), count, f"Muster simulation: {name}".encode()).derive(self._seed)

    def key(self, name: str) -> ec.EllipticCurvePrivateKey:
        """A P-256 key: 64 bits more than the order has make the remainder's bias nothing (FIPS 186-5, A.2.1)."""
        return ec.derive_private_key(int.from_bytes(self.bytes(name, 40), "big") % (_ORDER - 1) + 1, ec.SECP256R1())

    def serial(self, name: str) -> int:
        """A positive number of at most 127 bits."""
        return int.from_bytes(self.bytes(name + ", serial", 16), "big") >> 1 | 1


class Operator:
    """Who admits watches: the authority that certifies them, and the receiver that they report to."""

    def __init__(self, authority: _Authority, state: State, host: str):
        self._authority, self.state, self._host = authority, state, host

    @classmethod
    def make(cls, folder: Path, host: str = HOST, secrets: _Secrets | None = None) -> Operator:
        """A new one in a new or empty folder; its keys are random unless `secrets` are given. Raises ProvisionError."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ProvisionError(f"{folder}: not an empty folder")
        names = _names(host)
        secrets = secrets or _Secrets(None)
        for part in (folder, folder / "authority", folder / "receiver"):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = _Authority(secrets, secrets.key("authority"))
        authority.write(folder / "authority")
        return cls(authority, _receiver(folder / "receiver", authority, secrets, names), host)

    @classmethod
    def open(cls, folder: Path, secrets: _Secrets | None = None) -> Operator:
        """One that was made before, from the same `secrets` where any are given. Raises StateError."""
        key = read_private_key(folder / "authority" / CA_KEY)
        certificate = read_certificate(folder / "authority" / receiver_state.CA)
        authority = _Authority(secrets or _Secrets(None), key, certificate)
        state = State(folder / "receiver")
        server = read_certificate(state.folder / receiver_state.SERVER)
        return cls(authority, state, str(server.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value))

    @property
    def receiver_point(self) -> bytes:
        """The receiver's public encryption key."""
        return public_point(self.state.encryption_key.public_key())

    def keep_prompts(self, ueid: bytes, sealed: bytes) -> None:
        """Keep the secret of a watch's prompt times, a COSE_Encrypt to the receiver, for who audits them."""
        folder = self.state.folder / PROMPTS
        folder.mkdir(exist_ok=True)
        (folder / f"{ueid.hex()}.cose").write_bytes(sealed)

    def open_prompts(self, ueid: bytes) -> bytes:
        """That secret, for tools/due_times.py. Raises OSError, CborError, OpeningError."""
        sealed = (self.state.folder / PROMPTS / f"{ueid.hex()}.cose").read_bytes()
        return unwrap(cbor.loads(sealed), self.state.encryption_key, self.state.encryption_kid)

    def admit(self, name: str, ueid: bytes, client: ec.EllipticCurvePublicKey, settings: dict[str, Any]
              ) -> dict[str, bytes]:
        """The files of a watch: the authority's certificate, its own for the TLS key `client`, and its settings."""
        certificate = self._authority.issue(name, ueid.hex(), client, ExtendedKeyUsageOID.CLIENT_AUTH, [])
        own = {"ueid": ueid.hex(),
               "receiver_signing_key": public_point(self.state.signing_key.public_key()).hex(),
               "receiver_encryption_key": self.receiver_point.hex()}
        text = json.dumps({"receiver_host": self._host} | settings | own, indent=2, sort_keys=True) + "\n"
        return {"ca.der": _der(self._authority.certificate), "client.der": _der(certificate),
                "settings.json": text.encode()}

    def register(self, watches: list[tuple[bytes, bytes, str]], now_s: int, database: str | None = None) -> None:
        """Make watches known to the receiver: (UEID, point of the signing key, wearer) each. Raises StoreError."""
        with closing(Store(database or self.state.database)) as store:
            store.register(watches, now_s)


class _Authority:
    """A certificate authority of one level; its certificate is made unless it is given."""

    def __init__(self, secrets: _Secrets, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate | None = None):
        self._secrets, self._key = secrets, key
        self._name = _name("Muster authority")
        self.certificate = certificate or self._certify("authority", self._name, key.public_key(), [
            (x509.BasicConstraints(ca=True, path_length=0), True), (_usage(signs_certificates=True), True)])

    def issue(self, name: str, common_name: str, public: ec.EllipticCurvePublicKey, purpose: x509.ObjectIdentifier,
              names: list[x509.GeneralName]) -> x509.Certificate:
        """A certificate for one purpose, server or client."""
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True), (_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage([purpose]), False)]
        if names:
            extensions.append((x509.SubjectAlternativeName(names), False))
        return self._certify(name, _name(common_name), public, extensions)

    def write(self, folder: Path) -> None:
        """Writes the authority's key and certificate."""
        write_private_key(folder / CA_KEY, self._key)
        (folder / receiver_state.CA).write_bytes(_pem(self.certificate))

    def _certify(self, name: str, subject: x509.Name, public: ec.EllipticCurvePublicKey,
                 extensions: list[tuple[x509.ExtensionType, bool]]) -> x509.Certificate:
        builder = (x509.CertificateBuilder().issuer_name(self._name).subject_name(subject).public_key(public)
                   .serial_number(self._secrets.serial(name)).not_valid_before(VALID_FROM).not_valid_after(VALID_TO))
        identifiers = [(x509.SubjectKeyIdentifier.from_public_key(public), False),
                       (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)]
        for extension, is_critical in extensions + identifiers:
            builder = builder.add_extension(extension, is_critical)
        return builder.sign(self._key, hashes.SHA256(), ecdsa_deterministic=True)


def _names(host: str) -> list[x509.GeneralName]:
    """What the receiver's certificate is for: `host`, and loopback. Raises ProvisionError."""
    if not _HOST.fullmatch(host):
        raise ProvisionError(f"host {host!r}: not a host name")
    return [x509.DNSName(host), x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]


def _receiver(folder: Path, authority: _Authority, secrets: _Secrets, names: list[x509.GeneralName]) -> State:
    """Makes the receiver's keys and its certificate."""
    key = secrets.key("receiver, TLS")
    certificate = authority.issue("receiver", names[0].value, key.public_key(), ExtendedKeyUsageOID.SERVER_AUTH, names)
    write_private_key(folder / receiver_state.SERVER_KEY, key)
    (folder / receiver_state.SERVER).write_bytes(_pem(certificate))
    (folder / receiver_state.CA).write_bytes(_pem(authority.certificate))
    write_private_key(folder / receiver_state.SIGNING_KEY, secrets.key("receiver, signing"))
    write_private_key(folder / receiver_state.ENCRYPTION_KEY, secrets.key("receiver, encryption"))
    return State(folder)


def _device(index: int, secrets: _Secrets, operator: Operator, settings: dict[str, Any]) -> tuple[Bundle, bytes]:
    """What one simulated watch is given, and the public half of its signing key, a point."""
    name = f"device {index}"
    ueid, wearer = b"\x01" + secrets.bytes(name + ", ueid", 16), secrets.bytes(name + ", wearer", 16).hex()
    signing, client = secrets.key(name + ", signing"), secrets.key(name + ", TLS")
    nvs = {
        "sign_key": signing.private_numbers().private_value.to_bytes(32, "big"),
        "prompt_secret": secrets.bytes(name + ", prompts", 32),
        "client_key": client.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL,
                                           serialization.NoEncryption()),
    }
    files = operator.admit(name, ueid, client.public_key(), settings)
    return Bundle(ueid, wearer, nvs, files), public_point(signing.public_key())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(digital_signature=not signs_certificates, key_cert_sign=signs_certificates,
                         crl_sign=signs_certificates, content_commitment=False, key_encipherment=False,
                         data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def check_settings(settings: dict[str, Any]) -> None:
    """Raises ProvisionError for one that is not the user's to set."""
    for name in _OWN_SETTINGS & settings.keys():
        raise ProvisionError(f"settings: {name}: set by provisioning")
