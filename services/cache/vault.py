"""What lies in a store: sealed, and of use at one place alone."""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.cache.keys import derived

NONCE_BYTES: Final = 12


class Vault:
    """AES-256-GCM under a key of the tenant and the place; the place is authenticated as well.

    Args:
        secret: from which the tenants' keys come.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, tenant: str, place: bytes, value: bytes) -> bytes:
        """28 bytes longer than `value`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher(tenant, place).encrypt(nonce, value, place)

    def open(self, tenant: str, place: bytes, sealed: bytes) -> bytes | None:
        """What was sealed; None: not by us, not for this place, or changed since."""
        if len(sealed) < NONCE_BYTES:
            return None
        try:
            return self._cipher(tenant, place).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except InvalidTag:
            return None

    def _cipher(self, tenant: str, place: bytes) -> AESGCM:
        # a key for each place: random nonces of one key would run out after 2³² answers (NIST SP 800-38D, 8.3)
        return AESGCM(derived(self._secret, "values", tenant, place))
