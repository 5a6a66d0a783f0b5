"""int8 variants: reproducible, described, near the original, and served by the real runner."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cli.bench.calibration import pictures, record
from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from facesocial.errors import ConversionError, FaceSocialError
from models.catalogue import Catalogue, load_catalogue
from models.library import Library
from models.spec import ModelSpec
from models.store import Store
from runners import quantisation
from runners.base import FaceRunner
from runners.library import RunnerLibrary, local_builder
from runners.quantisation import Sample, quantise
from runners.sessions import OnnxModel
from vram_policy import CpuArbiter

pytestmark = pytest.mark.integration


def network() -> bytes:
    """Two convolutions with a ReLU between, opset 11: `x` [n, 3, 16, 16] → `y` [n, 8]."""
    generator = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(generator.normal(0, 0.2, shape).astype(np.float32), name)
        for name, shape in (("a", (16, 3, 3, 3)), ("b", (8, 16, 3, 3)))
    ]
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["p"], name="first"),
        helper.make_node("Relu", ["p"], ["q"], name="relu"),
        helper.make_node("Conv", ["q", "b"], ["r"], name="second"),
        helper.make_node("GlobalAveragePool", ["r"], ["s"], name="pool"),
        helper.make_node("Flatten", ["s"], ["y"], name="flatten"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8])
    made: onnx.ModelProto = helper.make_model(
        helper.make_graph(nodes, "net", [x], [y], weights), opset_imports=[helper.make_opsetid("", 11)], ir_version=8
    )
    content: bytes = made.SerializeToString()
    return content


def samples(count: int = 8) -> list[Sample]:
    """Noise, always the same."""
    generator = np.random.default_rng(1)
    return [(generator.normal(size=(1, 3, 16, 16)).astype(np.float32),) for _ in range(count)]


def operators(content: bytes) -> list[str]:
    """Types of its nodes."""
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


def test_weights_become_int8_of_seven_bits_with_a_scale_per_channel() -> None:
    """Symmetric: no zero point but 0; seven bits, for kernels without VNNI overflow on eight."""
    content, made = quantise(network(), samples(), "any")
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(content).graph.initializer}
    for name, channels in (("a", 16), ("b", 8)):
        assert stored[f"{name}_quantized"].dtype == np.int8
        assert np.abs(stored[f"{name}_quantized"]).max() <= 64
        assert stored[f"{name}_scale"].shape == (channels,)
        assert not stored[f"{name}_zero_point"].any()
    assert made.samples == 8
    assert "onnxruntime" in made.method


def test_the_same_input_gives_the_same_bytes_in_another_process() -> None:
    """Also with other hash seeds, which shuffle Python's sets."""
    content, made = quantise(network(), samples(), "any")
    program = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1])\n"
        "from test_quantisation import network, samples\n"
        "from runners.quantisation import quantise\n"
        "content, made = quantise(network(), samples(), 'any')\n"
        "sys.stdout.write(content.hex() + made.calibration)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert done.stdout == content.hex() + made.calibration


def test_other_pictures_give_another_digest() -> None:
    """The calibration is part of what the variant is."""
    assert quantise(network(), samples(8), "any")[1] != quantise(network(), samples(7), "any")[1]


def test_a_recipe_leaves_layers_in_float(monkeypatch: pytest.MonkeyPatch) -> None:
    """By type of operator, and by place among the convolutions."""
    whole, _ = quantise(network(), samples(), "any")
    recipe = quantisation.Recipe("a test", ("GlobalAveragePool",), first=1)
    monkeypatch.setitem(quantisation.RECIPES, "any", recipe)
    part, made = quantise(network(), samples(), "any")
    assert operators(whole).count("DequantizeLinear") > operators(part).count("DequantizeLinear")
    names = {tensor.name for tensor in onnx.load_from_string(part).graph.initializer}
    assert "a" in names
    assert "b_quantized" in names
    assert "GlobalAveragePool, the first 1 Conv" in made.method


def test_without_samples_or_onnx_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No half-calibrated network, no ImportError."""
    with pytest.raises(ConversionError, match="show this network nothing"):
        quantise(network(), [], "any")
    monkeypatch.setattr(quantisation, "find_spec", lambda _: None)
    with pytest.raises(ConversionError, match="uv sync --extra convert"):
        quantise(network(), samples(), "any")


def test_a_variant_lives_and_is_served_like_any_model(tmp_path: Path) -> None:
    """Registered beside its original, activated, run by the real runner, under a contract of its own."""
    network, spec = _embedder()
    library = Library(Store(tmp_path, Catalogue(models=(spec,))))
    original = library.store.register(spec, network)
    content, made = quantise(network, _faces(), spec.architecture)
    variant = library.store.register(spec.quantised(made, "as measured"), content)

    assert variant.tag.startswith("embedder_int8:")
    assert library.installed() == (original, variant)
    results = []
    for model in (original, variant):
        library.aliases.activate(Capability.RECOGNITION.alias, model.tag)
        runner = RunnerLibrary(library, local_builder(CpuArbiter(), CpuSettings())).of(Capability.RECOGNITION)
        assert isinstance(runner, FaceRunner)
        results.append(runner.run([(np.full((112, 112, 3), value, np.uint8),) for value in (40, 200)]).results)
    for one, other in zip(*results, strict=True):
        assert one.vector @ other.vector > 0.98
        assert one.contract != other.contract
    library.aliases.rollback(Capability.RECOGNITION.alias)
    assert library.remove("embedder_int8") == variant.tag


def _embedder() -> tuple[bytes, ModelSpec]:
    """`network` as a face recogniser."""
    made = onnx.load_from_string(network())
    for size in made.graph.input[0].type.tensor_type.shape.dim[2:]:
        size.dim_value = 112
    content: bytes = made.SerializeToString()
    entry = load_catalogue().spec("mobilefacenet_foamliu").model_dump() | {
        "name": "embedder",
        "packs": (),
        "converter": None,
        "sources": [{"sha256": hashlib.sha256(content).hexdigest()}],
        "embedding_size": 8,
    }
    return content, ModelSpec.model_validate(entry)


def _faces() -> list[Sample]:
    generator = np.random.default_rng(2)
    colours, noise = generator.uniform(-1, 1, (20, 1, 3, 1, 1)), generator.uniform(-0.2, 0.2, (1, 3, 112, 112))
    return [((colour + noise).astype(np.float32),) for colour in colours]


def test_mobilefacenet_stays_near_its_float32(library: Library, data: Path, tmp_path: Path) -> None:
    """Calibrated on four pictures of people, compared on faces of two others, through real sessions."""
    models = {capability: library.resolve(capability) for capability in (Capability.DETECTION, Capability.RECOGNITION)}
    for folder, names in (
        ("calibration", ("obama", "biden", "six_faces", "test_obama1")),
        ("test", ("obama2", "train_biden_biden2")),
    ):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / f"{name}.jpg").symlink_to(data / "people" / f"{name}.jpg")
    original = models[Capability.RECOGNITION]
    seen = record(models, Capability.RECOGNITION, pictures(tmp_path / "calibration"))
    content, made = quantise(original.read(), seen, original.spec.architecture)
    variant = Store(tmp_path / "store").register(original.spec.quantised(made, ""), content)

    assert len(content) < 0.35 * original.path.stat().st_size
    sessions = [OnnxModel(model, CpuSettings()).open("cpu") for model in (original, variant)]
    for sample in record(models, Capability.RECOGNITION, pictures(tmp_path / "test")):
        one, other = (np.asarray(next(iter(session.run(sample).values())), np.float32)[0] for session in sessions)
        assert one @ other / (np.linalg.norm(one) * np.linalg.norm(other)) >= 0.9
        assert not np.array_equal(one, other)


def test_a_folder_without_pictures_is_named(library: Library, tmp_path: Path) -> None:
    """What is no picture is passed over; nothing but that is an error."""
    (tmp_path / "notes.txt").write_text("no picture")
    models = {capability: library.resolve(capability) for capability in (Capability.DETECTION, Capability.RECOGNITION)}
    with pytest.raises(FaceSocialError, match="no picture"):
        record(models, Capability.RECOGNITION, pictures(tmp_path))
