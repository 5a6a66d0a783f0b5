"""The operators' token: made once, readable by one user alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from facesocial.errors import ConfigurationError
from services.operators import FILE, is_operator, operator_token

pytestmark = pytest.mark.unit


def test_made_once_and_kept(tmp_path: Path) -> None:
    token = operator_token(tmp_path / "facesocial")
    assert len(token) >= 43
    assert operator_token(tmp_path / "facesocial") == token
    assert stat.S_IMODE((tmp_path / "facesocial" / FILE).stat().st_mode) == 0o600


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    operator_token(tmp_path)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(ConfigurationError, match="mode 0600"):
        operator_token(tmp_path)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        operator_token(tmp_path / "file")


def test_an_empty_token_opens_nothing() -> None:
    assert is_operator("Bearer secret", "secret")
    assert is_operator("bearer secret", "secret")
    assert not is_operator("Bearer ", "")
    assert not is_operator("Bearer sécret", "secret")
