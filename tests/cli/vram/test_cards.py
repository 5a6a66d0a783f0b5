"""A card is this machine's, a size, or a name."""

from __future__ import annotations

import pytest
import typer

from cli.vram.cards import KNOWN, card_of
from vram_policy.device import Description

pytestmark = pytest.mark.unit

HERE = (Description(5 << 30, "NVIDIA GeForce RTX 9999"), Description(7 << 30, "another"))


def test_this_machines_first_card_unless_told_otherwise() -> None:
    assert card_of(None, HERE) is HERE[0]


@pytest.mark.parametrize("word", ["6GiB", "6144MiB", "6.0GiB"])
def test_a_size_is_any_card(word: str) -> None:
    assert card_of(word, HERE) == Description(6 << 30, "any card")


def test_a_simulated_card_has_its_own_profiles() -> None:
    assert card_of("simulated:1GiB", ()) == Description(1 << 30, "simulated")


@pytest.mark.parametrize(
    ("word", "size"),
    [("RTX 3060 Laptop", 6), ("rtx 3060", 12), ("T4", 15), ("NVIDIA GeForce RTX 4060 Laptop GPU", 8), ("rtx 9999", 5)],
)
def test_some_words_of_a_name_are_enough(word: str, size: int) -> None:
    """The shortest name that has them all: a desktop's before a laptop's."""
    assert card_of(word, HERE).total == size << 30


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_card_is_found_by_its_name(name: str) -> None:
    assert card_of(name, ()) == Description(KNOWN[name] << 30, name)


@pytest.mark.parametrize(
    ("word", "why"),
    [(None, "no card here"), ("abacus", "no card is known"), ("6XiB", "MiB or GiB"), ("simulated:much", "MiB or GiB")],
)
def test_what_is_no_card_is_said(word: str | None, why: str) -> None:
    with pytest.raises(typer.BadParameter, match=why):
        card_of(word, ())
