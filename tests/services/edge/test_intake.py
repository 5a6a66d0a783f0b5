"""How much of bodies is in memory."""

from __future__ import annotations

import math
from ipaddress import ip_address

import pytest

from facesocial.configuration import AdmissionSettings, Configuration
from facesocial.errors import Overloaded
from services.edge.caller import Caller
from services.edge.intake import Intake

pytestmark = pytest.mark.unit

HERE, THERE = Caller(ip_address("192.0.2.1")), Caller(ip_address("192.0.2.2"))


def test_bodies_share_what_there_is() -> None:
    intake = Intake(100, 100)
    with intake.open(HERE) as take, intake.open(HERE) as other:
        take(60)
        other(40)
        with pytest.raises(Overloaded, match="too many bodies"):
            other(1)
        assert intake.held == 100, "what was refused is not held"
    assert intake.held == 0


def test_what_one_gives_back_another_may_take() -> None:
    intake = Intake(100, 100)
    with intake.open(HERE) as take:
        with intake.open(HERE) as other:
            other(100)
            with pytest.raises(Overloaded):
                take(1)
        take(100)


def test_r32_an_error_gives_back_too() -> None:
    intake = Intake(100, 100)

    def read() -> None:
        with intake.open(HERE) as take:
            take(100)
            take(1)

    with pytest.raises(Overloaded):
        read()
    assert intake.held == 0


def test_nobody_alone_keeps_the_others_out() -> None:
    intake = Intake(100, 60)
    with intake.open(HERE) as take, intake.open(HERE) as another, intake.open(THERE) as other:
        take(40)
        another(20)
        with pytest.raises(Overloaded, match="from this address"):
            another(1)
        other(40)
    with intake.open(HERE) as take:
        take(60)
    assert (intake.held, intake._shares) == (0, {})


def test_many_are_behind_an_address_that_is_trusted() -> None:
    intake = Intake(100, 60, lambda caller: caller is HERE)
    with intake.open(HERE) as take:
        take(100)
        with pytest.raises(Overloaded, match="in memory"):
            take(1)


def test_the_largest_request_fits_into_a_share() -> None:
    configuration = Configuration(admission=AdmissionSettings(body_mib=64))
    limits = configuration.limits
    with Intake.of(configuration).open(HERE) as take:
        take(2 * 4 * math.ceil(limits.image_bytes / 3) + limits.form_bytes)
        with pytest.raises(Overloaded):
            take(1)
