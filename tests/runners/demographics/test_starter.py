"""The starter's word on age and gender."""

from __future__ import annotations

import numpy as np
import pytest

from facesocial.results import Demographics
from models.catalogue import load_catalogue
from runners.demographics.starter import StarterDemographics

pytestmark = pytest.mark.unit


def test_years_and_the_likelier_gender() -> None:
    adapter = StarterDemographics(load_catalogue().spec("starter_demographics"))
    said = adapter.post({"years and female": np.array([[31.5, 0.75], [8.0, 0.25]], np.float32)})
    assert said == [Demographics(31.5, "female", 0.75), Demographics(8.0, "male", 0.75)]
