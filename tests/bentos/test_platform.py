"""Where calls between our processes would go over TCP, the service does not start."""

from __future__ import annotations

import pytest

from bentos.platform import is_wsl, refuse_unsafe_sockets
from cli.process import Service
from facesocial.errors import ConfigurationError, FaceSocialError

WSL = "5.15.167.4-microsoft-standard-WSL2"
LINUX = "6.8.0-45-generic"


@pytest.mark.unit
@pytest.mark.parametrize(("release", "wsl"), [(WSL, True), (LINUX, False), ("23.6.0", False), ("", False)])
def test_wsl2_is_known_by_its_kernel(release: str, wsl: bool) -> None:
    assert is_wsl(release) == wsl


@pytest.mark.unit
@pytest.mark.parametrize(("release", "processes"), [(LINUX, True), (LINUX, False), (WSL, False)])
def test_unix_sockets_or_one_process_are_safe(release: str, processes: bool) -> None:
    refuse_unsafe_sockets({"HOME": "/root"}, release, processes)


@pytest.mark.unit
def test_processes_are_refused_under_wsl2() -> None:
    with pytest.raises(ConfigurationError, match=r"WSL2.*placement: embedded"):
        refuse_unsafe_sockets({}, WSL, processes=True)


@pytest.mark.unit
@pytest.mark.parametrize("value", ["1", "0", ""])
@pytest.mark.parametrize("processes", [True, False])
def test_bentomls_switch_to_tcp_is_refused_whatever_its_value(value: str, processes: bool) -> None:
    """BentoML asks only whether it is there."""
    with pytest.raises(ConfigurationError, match=r"BENTOML_NO_UDS is set.*TCP"):
        refuse_unsafe_sockets({"BENTOML_NO_UDS": value}, LINUX, processes)


@pytest.mark.integration
def test_the_service_does_not_start_with_it() -> None:
    with (
        pytest.raises(FaceSocialError, match=r"did not become ready[\s\S]*BENTOML_NO_UDS is set"),
        Service.start({"BENTOML_NO_UDS": "1"}),
    ):
        pytest.fail("it started")
