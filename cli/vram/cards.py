"""Cards by name, for those who plan for one that is not here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import typer

from vram_policy.choice import size_of
from vram_policy.device import Description
from vram_policy.simulated import NAME

KNOWN: Final = {
    "NVIDIA GeForce GTX 1650": 4,
    "NVIDIA GeForce GTX 1660 Ti": 6,
    "NVIDIA GeForce RTX 2060": 6,
    "NVIDIA GeForce RTX 3050 Laptop GPU": 4,
    "NVIDIA GeForce RTX 3050": 8,
    "NVIDIA GeForce RTX 3060 Laptop GPU": 6,
    "NVIDIA GeForce RTX 3060": 12,
    "NVIDIA GeForce RTX 3070": 8,
    "NVIDIA GeForce RTX 3080": 10,
    "NVIDIA GeForce RTX 3090": 24,
    "NVIDIA GeForce RTX 4050 Laptop GPU": 6,
    "NVIDIA GeForce RTX 4060 Laptop GPU": 8,
    "NVIDIA GeForce RTX 4060": 8,
    "NVIDIA GeForce RTX 4070": 12,
    "NVIDIA GeForce RTX 4090": 24,
    "Tesla T4": 15,
    "NVIDIA A2": 15,
    "NVIDIA L4": 22,
}
"""Whole GiB of each, by the name the driver gives it; with ECC, what is left of it."""


def card_of(word: str | None, here: Sequence[Description]) -> Description:
    """The card that is planned for.

    Args:
        word: `6GiB`, `simulated:1GiB`, some words of a name, or None for the first card of this machine.
        here: this machine's cards.

    Raises:
        BadParameter: nothing of that kind is known, or there is no card here and none was named.
    """
    if word is None:
        if not here:
            raise typer.BadParameter('there is no card here: name one, such as --card 6GiB or --card "RTX 3060 Laptop"')
        return here[0]
    simulated = word.startswith(f"{NAME}:")
    if simulated or re.fullmatch(r"[\d.]+[A-Za-z]+", word):
        try:
            total = size_of(word.removeprefix(f"{NAME}:"))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        return Description(total, NAME if simulated else "any card")
    asked = set(word.lower().split())
    cards = [*here, *(Description(size << 30, name) for name, size in KNOWN.items())]
    named = [card for card in cards if asked <= set(card.name.lower().split())]
    if not named:
        raise typer.BadParameter(f"no card is known as {word!r}; give its memory, such as --card 6GiB")
    return min(named, key=lambda card: len(card.name.split()))
