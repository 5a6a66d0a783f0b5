"""When an int8 variant pays, and what the table says of it."""

from __future__ import annotations

import pytest

from cli.bench.int8_table import Figure, Merit, Times, Trial, markdown
from cli.bench.machine import Machine

pytestmark = pytest.mark.unit

LFW = Merit("LFW accuracy", 0.002, relative=False)
AUC = Merit("AUC")
AGE = Merit("age MAE", rising=False)


def trial(*figures: Figure, gains: tuple[float, ...] = (1.6, 1.7)) -> Trial:
    """Of `net`, measured at batch 1 and 6."""
    spent = tuple(Times(batch, 2 * gain, 2.0, gain) for batch, gain in zip((1, 6), gains, strict=False))
    return Trial("net", 4000, 1000, spent, figures)


@pytest.mark.parametrize(
    ("figure", "holds"),
    [
        (Figure(LFW, 0.993, 0.991), True),
        (Figure(LFW, 0.993, 0.9909), False),
        (Figure(LFW, 0.991, 0.993), True),
        (Figure(AUC, 0.95, 0.9405), True),
        (Figure(AUC, 0.95, 0.9404), False),
        (Figure(AGE, 5.0, 5.05), True),
        (Figure(AGE, 5.0, 5.06), False),
        (Figure(AGE, 5.0, 4.0), True),
        (Figure(Merit("faces of six", 0, relative=False), 6, 5), False),
    ],
)
def test_a_loss_is_allowed_up_to_its_limit(figure: Figure, holds: bool) -> None:
    """In points or as a share, for figures that rise and for those that fall."""
    assert figure.holds is holds


def test_it_pays_when_fast_at_every_batch_and_right_in_every_figure() -> None:
    """1.5 × itself is enough."""
    good = Figure(LFW, 0.993, 0.992)
    assert trial(good).pays
    assert trial(good, gains=(1.5,)).pays
    assert trial(good, gains=(1.49, 2.0)).objections == ("1.49 × at batch 1",)
    assert trial(good, Figure(AUC, 0.9, 0.8)).objections == ("loses 11.11% of AUC",)
    assert trial().objections == ("accuracy not judged",)


def test_the_table_says_why_something_is_not_kept() -> None:
    """One row per network, with both values of every figure."""
    machine = Machine("2026-01-01", "a CPU", 2, 0.0, "3.11", {})
    fast, slow, poor = trial(Figure(LFW, 0.993, 0.992)), trial(Figure(AUC, 0.9, 0.9), gains=(1.2, 1.7)), trial()
    text = markdown([fast, slow, poor], ["net"], machine, "Notes.")
    rows = [line for line in text.splitlines() if line.startswith("| net |")]
    assert rows[0] == ("| net | 4 → 1 | 3.20 → 2.00 | 3.40 → 2.00 | 1.60, 1.70 | LFW accuracy 0.993 → 0.992 | kept |")
    assert rows[1].endswith("kept as asked: 1.20 × at batch 1 |")
    assert "| not kept: 1.20 × at batch 1 |" in markdown([slow], [], machine, "Notes.")
    assert rows[2].endswith("| – | kept as asked: accuracy not judged |")
    assert "a CPU" in text


def test_the_entry_says_what_was_measured() -> None:
    """With both figures and the gain at each batch size."""
    assert trial(Figure(LFW, 0.993, 0.992)).describe() == (
        "float32 → int8: LFW accuracy 0.993 → 0.992; 1.60 × as fast at batch 1, 1.70 × as fast at batch 6"
    )
    assert "accuracy not judged" in trial().describe()
