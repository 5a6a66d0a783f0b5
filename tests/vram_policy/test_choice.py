"""From a word of the configuration to cards; what the operator hides from us stays hidden."""

from __future__ import annotations

import pytest

from facesocial.errors import ConfigurationError
from vram_policy.choice import Choice, choose, size_of
from vram_policy.device import Description

pytestmark = pytest.mark.unit

FOUND = (Description(6 << 30, "RTX", "GPU-aa11"), Description(4 << 30, "GTX", "GPU-bb22"))


def chosen(word: str, visible: str | None = None) -> list[int]:
    """Numbers of the cards."""
    return [card.index for card in choose(word, FOUND, visible)]


def test_words() -> None:
    assert chosen("auto") == [0, 1]
    assert chosen("none") == []
    assert chosen("cuda:1") == [1]
    assert chosen("cuda:1,0") == [1, 0]
    assert choose("cuda:1", FOUND) == (Choice("cuda", 1, 4 << 30, "GTX"),)
    sizes = choose("simulated:1.5GiB,768MiB", ())
    assert [(card.kind, card.index, card.total) for card in sizes] == [
        ("simulated", 0, 3 << 29),
        ("simulated", 1, 768 << 20),
    ]


@pytest.mark.parametrize(
    ("visible", "shown"),
    [
        (None, [0, 1]),
        ("0,1", [0, 1]),
        ("1", [1]),
        ("1,0", [1, 0]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("0,-1,1", [0]),
        ("0,", [0]),
        ("0, 1", [0]),
        ("0,0", [0]),
        ("7", []),
        ("GPU-bb22", [1]),
        ("GPU-b", [1]),
        ("GPU-", []),
        ("MIG-aa11", []),
    ],
)
def test_what_cuda_would_show(visible: str | None, shown: list[int]) -> None:
    """Up to the first word that names no card, as CUDA reads it."""
    assert chosen("auto", visible) == shown


@pytest.mark.parametrize(("word", "visible"), [("cuda:2", None), ("cuda:0", "1"), ("cuda:0,0", None)])
def test_cards_that_are_not_to_be_had(word: str, visible: str | None) -> None:
    with pytest.raises(ConfigurationError, match=r"vram\.gpu"):
        choose(word, FOUND, visible)


@pytest.mark.parametrize("text", ["6", "6GB", "GiB", "-1GiB", ""])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="MiB or GiB"):
        size_of(text)
