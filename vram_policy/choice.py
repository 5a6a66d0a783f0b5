"""Which cards to use: `auto`, `none`, `cuda:0,1`, `simulated:6GiB`. From a word of the configuration to cards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from facesocial.errors import ConfigurationError
from vram_policy.device import Description
from vram_policy.simulated import NAME

UNITS: Final = {"MiB": 1 << 20, "GiB": 1 << 30}


@dataclass(frozen=True, slots=True)
class Choice:
    """One card that may be used: its number among its kind, and bytes of its memory."""

    kind: Literal["cuda", "simulated"]
    index: int
    total: int
    name: str


def choose(word: str, found: Sequence[Description], visible: str | None = None) -> tuple[Choice, ...]:
    """The cards that `word` names.

    Args:
        word: as `vram.gpu` in the configuration has it.
        found: the cards of this machine.
        visible: the operator's CUDA_VISIBLE_DEVICES, if it is set; what it hides is not used.

    Raises:
        ConfigurationError: a card is named that is not there.
    """
    if word == "none":
        return ()
    if word.startswith("simulated:"):
        sizes = word.removeprefix("simulated:").split(",")
        return tuple(Choice("simulated", index, size_of(text), NAME) for index, text in enumerate(sizes))
    shown = _shown(visible, found)
    if word == "auto":
        wanted = shown
    else:
        wanted = [int(text) for text in word.removeprefix("cuda:").split(",")]
        if len(set(wanted)) < len(wanted):
            raise ConfigurationError(f"vram.gpu: {word}: a card is named twice")
        for index in wanted:
            if index not in shown:
                raise ConfigurationError(
                    f"vram.gpu: {word}: there is no card {index}; this machine shows {len(shown)} to us"
                )
    return tuple(Choice("cuda", index, found[index].total, found[index].name) for index in wanted)


def size_of(text: str) -> int:
    """Bytes of `6GiB`, `1.5GiB`, `768MiB`.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(MiB|GiB)", text)
    if match is None:
        raise ValueError(f"{text}: a size is a number with MiB or GiB")
    return int(float(match[1]) * UNITS[match[2]])


def _shown(visible: str | None, found: Sequence[Description]) -> list[int]:
    """What CUDA would show: cards by number (as the driver counts) or UUID, up to the first word that names none."""
    if visible is None:
        return list(range(len(found)))
    shown: list[int] = []
    for word in visible.split(","):
        named = [
            index
            for index, card in enumerate(found)
            if word == str(index) or (word.startswith("GPU-") and card.uuid.startswith(word))
        ]
        if len(named) != 1 or named[0] in shown:
            break
        shown += named
    return shown
