"""A service for as long as a block lasts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.process import Service
from facesocial.errors import FaceSocialError


@pytest.mark.integration
def test_a_service_that_cannot_start_says_why() -> None:
    """The end of its log is in the message."""
    with (
        pytest.raises(FaceSocialError, match=r"did not become ready[\s\S]*FACESOCIAL__SERVER__PORT"),
        Service.start({"FACESOCIAL__SERVER__PORT": "0"}),
    ):
        pytest.fail("it started")


@pytest.mark.integration
def test_a_service_that_will_never_be_ready_is_not_waited_for(tmp_path: Path) -> None:
    """Without a detector the warm-up ends, and with it the waiting."""
    with (
        pytest.raises(FaceSocialError, match="cannot become ready: face-detection: not installed"),
        Service.start({"BENTOML_HOME": str(tmp_path), "FACESOCIAL__MODELS__STARTER": "false"}),
    ):
        pytest.fail("it started")
