"""Crops and labels on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.bank import bank

pytestmark = pytest.mark.unit

MADE_OF = np.zeros((2, 2), np.uint8)


def lesson(numbers: range) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A crop of one pixel, which is its number, and so is its label."""
    values = np.array(numbers)
    return values.astype(np.uint8).reshape(-1, 1, 1, 1), values.astype(np.float32).reshape(-1, 1)


def test_every_pass_has_every_crop_once_with_its_label(tmp_path: Path, small_chunks: int) -> None:
    made = bank(lesson, 30, tmp_path, MADE_OF)
    assert len(made) == 2 * small_chunks
    images, labels = (np.concatenate(part) for part in zip(*(made.batch(step, 8) for step in range(8)), strict=True))
    assert np.array_equal(images[:, 0, 0, 0], labels[:, 0])
    first, second = labels[:32, 0].tolist(), labels[32:, 0].tolist()
    assert sorted(first) == sorted(second) == list(range(32))
    assert first != second


def test_what_is_not_selected_is_in_no_batch(tmp_path: Path, small_chunks: int) -> None:
    made = bank(lesson, 2 * small_chunks, tmp_path, MADE_OF)
    odd = made.select(made.labels[:, 0] % 2 == 1).select(made.labels[:, 0] > 10)
    seen = {float(label) for step in range(9) for label in odd.batch(step, 4)[1][:, 0]}
    assert seen == set(range(11, 32, 2))


def test_chunks_that_are_there_are_not_made_again(tmp_path: Path, small_chunks: int) -> None:
    bank(lesson, small_chunks, tmp_path, MADE_OF)
    asked: list[range] = []

    def noting(numbers: range) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        asked.append(numbers)
        return lesson(numbers)

    assert len(bank(noting, 3 * small_chunks, tmp_path, MADE_OF)) == 3 * small_chunks
    assert sorted(numbers.start for numbers in asked) == [small_chunks, 2 * small_chunks]


def test_a_bank_of_other_pictures_is_not_taken_for_this_one(tmp_path: Path, small_chunks: int) -> None:
    bank(lesson, small_chunks, tmp_path, MADE_OF)
    with pytest.raises(ValueError, match="other pictures"):
        bank(lesson, small_chunks, tmp_path, MADE_OF + 1)
