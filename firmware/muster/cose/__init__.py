"""Signing and encryption of what the watch records: CBOR, P-256, AES-CCM and the COSE messages made of them."""
