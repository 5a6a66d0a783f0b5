"""How much of bodies is in memory."""

from __future__ import annotations

import pytest

from facesocial.errors import Overloaded
from services.edge.intake import Intake

pytestmark = pytest.mark.unit


def test_bodies_share_what_there_is() -> None:
    intake = Intake(100)
    with intake.open() as take, intake.open() as other:
        take(60)
        other(40)
        with pytest.raises(Overloaded, match="too many bodies"):
            other(1)
        assert intake.held == 100, "what was refused is not held"
    assert intake.held == 0


def test_what_one_gives_back_another_may_take() -> None:
    intake = Intake(100)
    with intake.open() as take:
        with intake.open() as other:
            other(100)
            with pytest.raises(Overloaded):
                take(1)
        take(100)


def test_r32_an_error_gives_back_too() -> None:
    intake = Intake(100)

    def read() -> None:
        with intake.open() as take:
            take(100)
            take(1)

    with pytest.raises(Overloaded):
        read()
    assert intake.held == 0
