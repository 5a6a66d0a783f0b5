"""Where an answer lies: nothing of a picture, and nothing that tells anybody without the secret which it was."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Parameter: TypeAlias = str | int | float | bool | Sequence[str] | None

KEY_BYTES: Final = 32
"""Of every key and of every place in a store: SHA-256's."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that an answer depends on.

    Attributes:
        tenant: whose it is; others who send the same picture do not find it.
        route: of the HTTP surface.
        sources: the pictures as they came, in their order.
        parameters: whatever else was asked, what is declared of the pictures included.
        tags: alias → tag of each model that serves.
    """

    tenant: str
    route: str
    sources: Sequence[bytes]
    parameters: Mapping[str, Parameter]
    tags: Mapping[str, str]


class Keys:
    """Places in a store, by HMAC-SHA256 under a key of the tenant.

    Args:
        secret: from which the tenants' keys come.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def answer(self, question: Question, epoch: bytes) -> bytes:
        """The place of an answer for as long as the tenant's epoch lasts: 32 bytes. A mebibyte takes about 1 ms."""
        asked = json.dumps([question.route, dict(question.parameters), dict(question.tags)], sort_keys=True)
        return self._place(question.tenant, (b"answer", epoch, asked.encode(), *question.sources))

    def epoch(self, tenant: str) -> bytes:
        """The place of a tenant's epoch: 32 bytes."""
        return self._place(tenant, (b"epoch",))

    def _place(self, tenant: str, parts: Iterable[bytes]) -> bytes:
        digest = hmac.new(derived(self._secret, "places", tenant), digestmod=hashlib.sha256)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big"))  # "ab", "c" is not "a", "bc"
            digest.update(part)
        return digest.digest()


def derived(secret: bytes, purpose: str, tenant: str, salt: bytes | None = None) -> bytes:
    """A tenant's key for one purpose: 32 bytes, HKDF-SHA256 (RFC 5869)."""
    info = json.dumps(["facesocial", "cache", purpose, tenant]).encode()
    return HKDF(SHA256(), KEY_BYTES, salt, info).derive(secret)
