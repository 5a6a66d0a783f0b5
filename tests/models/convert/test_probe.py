"""The stored probes are what the published networks answer, and a conversion that answers otherwise is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from facesocial.errors import ConversionError
from models.convert import CONVERTERS, probe

NETWORKS = {
    "faceapi_age_gender": "faceapi_age_gender",
    "meso4_df": "mesonet4",
    "mesoinception_df": "mesoinception",
    "mesoinception_f2f": "mesoinception",
    "minifasnet_v1se_4.0_80x80": "minifasnet_v1se",
    "minifasnet_v2_2.7_80x80": "minifasnet_v2",
    "mobilefacenet_foamliu_dyn": "mobilefacenet",
}


@pytest.mark.unit
def test_every_converter_has_a_probe() -> None:
    """And its picture is in range and not flat."""
    assert {entry.converter for entry in probe.load_probes()} == set(CONVERTERS)
    picture = probe.picture((2, 3, 8, 8), (0, 1))
    assert 0 <= picture.min() < 0.3
    assert 0.7 < picture.max() <= 1


@pytest.mark.integration
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_stored_numbers_are_measured(name: str, reference: Callable[[str], Path]) -> None:
    """onnxruntime gives them again on the reference conversion; a new probe's numbers are in the message."""
    session = onnxruntime.InferenceSession(reference(name), providers=["CPUExecutionProvider"])
    entries = [entry for entry in probe.load_probes() if entry.converter == NETWORKS[name]]
    shape = [2, *session.get_inputs()[0].shape[1:]]
    measured = session.run(None, {"input": probe.picture(shape, entries[0].value_range)})
    numbers = {
        value.name: np.array(probe.first_numbers(output))
        for value, output in zip(session.get_outputs(), measured, strict=True)
    }
    close = [
        all(np.allclose(numbers[output], rows, rtol=0, atol=1e-5) for output, rows in entry.outputs.items())
        for entry in entries
    ]
    assert any(close), numbers


@pytest.mark.integration
def test_a_graph_that_answers_otherwise_is_refused(
    converted: Callable[..., Path], source: Callable[[str], Path], tmp_path: Path
) -> None:
    """One weight changed by a hundredth; one that is not finite, even for sources without a stored probe."""
    digest = hashlib.sha256(source("mobilefacenet").read_bytes()).hexdigest()
    path = converted("mobilefacenet", "mobilefacenet")
    probe.check("mobilefacenet", [digest], path)
    changed = tmp_path / "changed.onnx"
    _with_first_weight(path, changed, 0.01)
    with pytest.raises(ConversionError, match="off by"):
        probe.check("mobilefacenet", [digest], changed)
    probe.check("mobilefacenet", ["0" * 64], changed)
    _with_first_weight(path, changed, np.nan)
    with pytest.raises(ConversionError, match="not finite"):
        probe.check("mobilefacenet", ["0" * 64], changed)


def _with_first_weight(source: Path, target: Path, plus: float) -> None:
    model = onnx.load(source)
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight.flat[0] += plus
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, model.graph.initializer[0].name))
    onnx.save(model, target)
