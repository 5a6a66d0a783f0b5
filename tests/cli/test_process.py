"""A service for as long as a block lasts."""

from __future__ import annotations

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
