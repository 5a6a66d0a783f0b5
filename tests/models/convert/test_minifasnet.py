"""Our MiniFASNets give the logits of the reference conversions, one by one and fused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesocial.errors import ConversionError
from models.convert import convert

pytestmark = pytest.mark.integration

REFERENCES = {"v2": "minifasnet_v2_2.7_80x80", "v1se": "minifasnet_v1se_4.0_80x80"}


@pytest.mark.parametrize("variant", ["v2", "v1se"])
@pytest.mark.parametrize("pictures", ["faces", "noise"])
def test_logits_agree(
    variant: str,
    pictures: str,
    request: pytest.FixtureRequest,
    converted: Callable[..., Path],
    reference: Callable[[str], Path],
    agree: Callable[..., None],
) -> None:
    """On real faces and on noise, BGR in 0..255; the fused graph gives the same as the single one."""
    pixels: Any = request.getfixturevalue(pictures)(80)
    x = pixels[:, ::-1].astype(np.float32)
    theirs = reference(REFERENCES[variant])
    agree(converted(f"minifasnet_{variant}", f"minifasnet_{variant}"), theirs, {}, x)
    fused = converted("minifasnet_fused", "minifasnet_v2", "minifasnet_v1se")
    agree(fused, theirs, {"logits": f"logits_{variant}"}, x)


def test_sources_in_the_wrong_order_are_refused(source: Callable[[str], Path], tmp_path: Path) -> None:
    """V1SE where V2 belongs has tensors of other shapes."""
    with pytest.raises(ConversionError, match="tensor"):
        convert("minifasnet_fused", [source("minifasnet_v1se"), source("minifasnet_v2")], tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
