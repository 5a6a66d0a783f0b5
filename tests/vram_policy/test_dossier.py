"""What is known of a model: its stand, its size, why it is not on the card."""

from __future__ import annotations

import pytest

from facesocial.errors import OutOfDeviceMemory
from tests.vram_policy.fakes import FakeModel
from tests.vram_policy.observed import Modest
from vram_policy.dossier import Dossier, Dossiers
from vram_policy.zones import Stand

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("measured", "taken", "size"),
    [
        (True, None, 300),
        (True, 200, 300),
        (True, 400, 400),
        (False, None, 300),
        (False, 200, 200),
        (False, 400, 400),
        (False, -500, 100),
    ],
)
def test_a_size_is_a_measurement_or_the_first_load(measured: bool, taken: int | None, size: int) -> None:
    """A profile is never undercut, an estimate is replaced; nothing takes less than its weights."""
    model = Modest(size=200, said=300, measured=measured)
    assert Dossier(model, Stand("high"), taken=taken).size("card") == size


def test_why_not() -> None:
    """In words, the last reason first."""
    dossier = Dossier(Modest(), Stand("high"))
    assert dossier.why_not == "not asked for"
    dossier.note = "it is small"
    assert dossier.why_not == "it is small"
    dossier.error = ZeroDivisionError("secret")
    assert dossier.why_not == "ZeroDivisionError"
    dossier.error = OutOfDeviceMemory("the card is full")
    assert dossier.why_not == "the card is full"
    dossier.barred = True
    assert dossier.why_not == "unloaded by an operator"


def test_stands_are_named_without_the_digest() -> None:
    """They replace the model's own, and may be changed."""
    dossiers = Dossiers({"other": Stand("critical", pin=True)})
    model, other = Modest("model:1", zone="flexible", pin=True), Modest("other:2")
    assert dossiers.open(model).stand == Stand("flexible", pin=True)
    assert dossiers.open(other).stand == Stand("critical", pin=True)
    assert dossiers.open(other) is dossiers.get("other:2")
    dossiers.restate({"model": Stand("high")})
    assert [one.stand for one in dossiers.all()] == [Stand("high"), Stand("high")]
    dossiers.close("model:1")
    dossiers.close("model:1")
    assert dossiers.get("model:1") is None


def test_a_run_of_many_items_is_worth_as_many() -> None:
    """Costs are of one item; the mean follows what is asked for."""
    dossier = Dossiers({}).open(FakeModel())
    assert dossier.worth("simulated") == pytest.approx(0.1)
    for _ in range(100):
        dossier.count(6)
    assert dossier.worth("simulated") == pytest.approx(0.6, rel=0.01)
