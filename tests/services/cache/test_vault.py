"""What was sealed is opened by the same secret, for the same tenant, at the same place, unchanged; else not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cache.vault import Vault

pytestmark = pytest.mark.unit

PLACE = b"p" * 32
VALUE = b'{"faces": []}'


@given(st.binary(max_size=100))
def test_there_and_back(value: bytes) -> None:
    assert Vault(b"secret").open("anna", PLACE, Vault(b"secret").seal("anna", PLACE, value)) == value


def test_nothing_of_the_value_shows_and_no_two_are_alike() -> None:
    first, second = (Vault(b"secret").seal("anna", PLACE, VALUE) for _ in range(2))
    assert first != second
    assert len(first) == len(VALUE) + 28
    assert b"faces" not in first


@pytest.mark.parametrize(
    ("secret", "tenant", "place"),
    [(b"other", "anna", PLACE), (b"secret", "bert", PLACE), (b"secret", "anna", b"q" * 32)],
)
def test_not_for_others(secret: bytes, tenant: str, place: bytes) -> None:
    assert Vault(secret).open(tenant, place, Vault(b"secret").seal("anna", PLACE, VALUE)) is None


def test_not_with_a_bit_flipped_or_cut() -> None:
    vault = Vault(b"secret")
    sealed = vault.seal("anna", PLACE, VALUE)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        assert vault.open("anna", PLACE, bytes(changed)) is None
        assert vault.open("anna", PLACE, sealed[:position]) is None
