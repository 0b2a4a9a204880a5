"""The receiver's state folder: its certificates, its two private keys and where its database is, each checked."""

from __future__ import annotations

import os
import ssl
import stat
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from simulator.receiver.segment import key_id

CA, SERVER, SERVER_KEY = "ca.pem", "server.pem", "server.key"
SIGNING_KEY, ENCRYPTION_KEY, DATABASE = "signing.key", "encryption.key", "receiver.db"
# Forward-secret suites with AEAD for TLS 1.2; those of TLS 1.3 are OpenSSL's own choice.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class StateError(ValueError):
    """A file of the state folder is missing or wrong; says which and why, in one line."""


class State:
    """The folder's files, read when asked for. Every property raises StateError."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise StateError(f"{self.folder}: no such folder")

    @property
    def database(self) -> str:
        """The URL of the folder's own SQLite database."""
        return f"sqlite:///{self.folder.resolve() / DATABASE}"

    @cached_property
    def signing_key(self) -> ec.EllipticCurvePrivateKey:
        """The key that signs receipts."""
        return read_private_key(self.folder / SIGNING_KEY)

    @cached_property
    def encryption_key(self) -> ec.EllipticCurvePrivateKey:
        """The key that segments' keys are wrapped to."""
        return read_private_key(self.folder / ENCRYPTION_KEY)

    @cached_property
    def encryption_kid(self) -> bytes:
        """The id of the encryption key's public half."""
        return key_id(public_point(self.encryption_key.public_key()))

    def tls(self) -> ssl.SSLContext:
        """TLS 1.2 or later for the server, which asks each client for a certificate of its own CA."""
        server, key, authority = (self.folder / name for name in (SERVER, SERVER_KEY, CA))
        _check_certificates(server, read_private_key(key), authority)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        try:
            context.load_cert_chain(server, key)
            context.load_verify_locations(authority)
        except ssl.SSLError as error:
            raise StateError(f"{server}: {error}") from None
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def public_point(public: ec.EllipticCurvePublicKey) -> bytes:
    """The uncompressed point of a key, 65 bytes."""
    return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def read_private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """A P-256 key in PEM that only its owner may read. Raises StateError."""
    data = _read(path)
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & 0o077:
        raise StateError(f"{path}: its permissions are {mode:04o}, a private key's must be 0600")
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError):
        raise StateError(f"{path}: no unencrypted private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise StateError(f"{path}: not a P-256 key")
    return key


def write_private_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Writes `key` as PEM into a new file of mode 0600."""
    data = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from None


def read_certificate(path: Path) -> x509.Certificate:
    """A certificate in PEM. Raises StateError."""
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError:
        raise StateError(f"{path}: no certificate in PEM") from None


def _check_certificates(server: Path, key: ec.EllipticCurvePrivateKey, authority: Path) -> None:
    certificate, issuer = read_certificate(server), read_certificate(authority)
    if certificate.public_key() != key.public_key():
        raise StateError(f"{server}: its public key is not that of {SERVER_KEY}")
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        raise StateError(f"{server}: not issued by {authority}") from None
    now = datetime.now(UTC)
    for path, each in ((server, certificate), (authority, issuer)):
        if not each.not_valid_before_utc <= now <= each.not_valid_after_utc:
            raise StateError(f"{path}: valid from {each.not_valid_before_utc:%Y-%m-%d} to "
                             f"{each.not_valid_after_utc:%Y-%m-%d} only")
