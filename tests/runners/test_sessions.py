"""ONNX Runtime is told how to behave, and only one file talks to it."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest
from structlog.testing import capture_logs

from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from facesocial.errors import DeviceLost, ModelIntegrityError, OutOfDeviceMemory
from models import profiles
from models.catalogue import load_catalogue
from models.library import Library
from models.profiles import Measurement
from models.signature import Input
from models.store import InstalledModel
from runners import sessions
from runners.cuda import PROVIDER
from runners.sessions import OnnxModel, OnnxSession, blank, cpu_options
from tests.runners.network import Network
from vram_policy import Costs
from vram_policy.footprint import Footprint, Profile, estimate
from vram_policy.lease import Array
from vram_policy.simulated import SimulatedGpu

ROOT = Path(__file__).parents[2]
PACKAGES = ("bentos", "cli", "facesocial", "models", "runners", "services", "vram_policy")


@pytest.mark.unit
def test_threads_do_not_spin() -> None:
    """As many threads as configured, none of them spinning."""
    options = cpu_options(CpuSettings(session_threads=3))
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.unit
def test_one_file_runs_onnxruntime_and_one_quantises_with_it() -> None:
    """The product's other files know sessions only by protocol; quantisation is offline and opens none."""
    pattern = re.compile(r"^\s*(import|from) onnxruntime\b", re.MULTILINE)
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    assert sorted(file.relative_to(ROOT).as_posix() for file in files if pattern.search(file.read_text())) == [
        "runners/quantisation.py",
        "runners/sessions.py",
    ]
    assert "InferenceSession" not in (ROOT / "runners" / "quantisation.py").read_text()


@pytest.mark.integration
def test_a_changed_file_is_not_loaded(library: Library, tmp_path: Path) -> None:
    """R34: the digest is checked at every load."""
    installed = library.resolve(Capability.RECOGNITION)
    copy = tmp_path / "model.onnx"
    copy.write_bytes(installed.path.read_bytes()[:-1] + b"x")
    changed = InstalledModel(installed.spec, installed.tag, copy, installed.sha256)
    with pytest.raises(ModelIntegrityError, match="changed since it was registered"):
        OnnxModel(changed, CpuSettings()).open("cpu")


@pytest.mark.integration
def test_no_session_for_a_device_that_is_not_there(library: Library) -> None:
    """No silent CPU."""
    model = OnnxModel(library.resolve(Capability.RECOGNITION), CpuSettings())
    with pytest.raises(ValueError, match="tpu:0"):
        model.open("tpu:0")
    with pytest.raises(ValueError, match="simulated:0"):
        model.open("simulated:0")


@pytest.mark.integration
@pytest.mark.skipif(PROVIDER in onnxruntime.get_available_providers(), reason="this ONNX Runtime knows CUDA")
def test_without_cuda_a_card_is_lost_and_nothing_runs_on_the_cpu_instead(library: Library) -> None:
    with pytest.raises(DeviceLost, match="extra gpu"):
        OnnxModel(library.resolve(Capability.RECOGNITION), CpuSettings()).open("cuda:0")


@pytest.mark.integration
def test_closing_really_drops_the_session(recogniser: OnnxModel) -> None:
    session = recogniser.open("cpu")
    assert isinstance(session, OnnxSession)
    alive = weakref.ref(session._session)
    session.run(blank(recogniser.shapes[0]))
    session.close()
    assert alive() is None


class Recorder:
    """A CPU session that remembers shapes."""

    def __init__(self) -> None:
        self.shapes: list[tuple[tuple[int, ...], ...]] = []

    def run(self, inputs: Sequence[Array]) -> dict[str, Array]:
        self.shapes.append(tuple(array.shape for array in inputs))
        return {}

    def close(self) -> None:
        """Nothing to do."""


@pytest.mark.integration
def test_on_the_cpu_the_largest_and_the_smallest_shape_are_warmed(library: Library, recogniser: OnnxModel) -> None:
    recorder = Recorder()
    recogniser.warm(recorder)
    assert recorder.shapes == [((4, 3, 112, 112),), ((1, 3, 112, 112),)]
    fixed = library.store.find(load_catalogue().spec("ultraface_rfb_320"))
    assert fixed
    recorder = Recorder()
    OnnxModel(fixed, CpuSettings()).warm(recorder)
    assert recorder.shapes == [((1, 3, 240, 320),)]


@pytest.mark.integration
@pytest.mark.parametrize("capability", [one for one in Capability if one is not Capability.MESH])
def test_every_permitted_shape_runs(library: Library, capability: Capability) -> None:
    model = OnnxModel(library.resolve(capability), CpuSettings(batch=2))
    session = model.open("cpu")
    for shapes in model.shapes:
        assert session.run(blank(shapes))


@pytest.mark.integration
def test_a_simulated_card_warms_its_cpu_session(recogniser: OnnxModel) -> None:
    card = SimulatedGpu(1 << 40)
    session = card.open(recogniser)
    recogniser.warm(session)
    assert card.memory().own == recogniser.profile("simulated").footprint.peak
    session.close()
    assert card.memory().own == 0


@pytest.mark.unit
def test_every_shape_is_warmed_on_every_thread_of_a_card(fake_cuda: Network, model: OnnxModel) -> None:
    model.warm(model.open("cuda:0"))
    assert fake_cuda.shapes == [shape for (shape,) in model.shapes for _ in range(2)]
    assert fake_cuda.shapes[0] == (16, 3)
    assert fake_cuda.shapes[-1] == (1, 3)


@pytest.fixture
def model(tmp_path: Path) -> OnnxModel:
    """One that only a fake network runs: its file is read for nothing but its inputs."""
    spec = load_catalogue().spec("mobilefacenet_foamliu")
    file = tmp_path / "model.onnx"
    file.write_bytes(b"x" * 1000)
    model = OnnxModel(InstalledModel(spec, "fake:1", file, "0" * 64), CpuSettings())
    model.__dict__["_inputs"] = (Input("x", (None, 3)),)
    return model


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """An ONNX Runtime with CUDA; `opened` of the network says what it was told."""
    network = Network()

    def open_session(content: bytes, options: onnxruntime.SessionOptions, **told: Any) -> Network:
        if network.failure:
            raise network.failure
        network.__dict__["opened"] = (options, told)
        return network

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDER])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: network.__dict__.update(preloaded=True))
    monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
    monkeypatch.setattr(sessions, "find_spec", lambda name: name)
    monkeypatch.setattr(InstalledModel, "read", lambda _: b"")
    sessions._prepare_cuda.cache_clear()
    yield network
    sessions._prepare_cuda.cache_clear()


@pytest.mark.unit
def test_a_card_is_opened_as_the_design_says(fake_cuda: Network, model: OnnxModel) -> None:
    """Design §3: the facts to build on; the arena is bounded by what was measured, an estimate bounds nothing."""
    assert not model.profile("a card").measured
    model.open("cuda:2")
    assert "gpu_mem_limit" not in fake_cuda.__dict__["opened"][1]["providers"][0][1]
    limit = 100 << 20
    model._profiles["measured"] = Profile(Footprint(limit, limit, limit), Costs(0.1, 0.1, 0.1, 0.1), measured=True)
    model.open("cuda:1")
    options, told = fake_cuda.__dict__["opened"]
    assert told["enable_fallback"] == 0
    assert told["providers"] == [
        (
            PROVIDER,
            {
                "device_id": "1",
                "cudnn_conv_algo_search": "HEURISTIC",
                "arena_extend_strategy": "kSameAsRequested",
                "gpu_mem_limit": str(limit),
            },
        )
    ]
    assert options.get_session_config_entry("session.use_device_allocator_for_initializers") == "1"
    assert not fake_cuda.fallback
    assert fake_cuda.__dict__["preloaded"]


@pytest.mark.unit
def test_nobody_asked_what_it_takes_no_bound(fake_cuda: Network, model: OnnxModel) -> None:
    """So it can be measured."""
    model.open("cuda:0")
    assert "gpu_mem_limit" not in fake_cuda.__dict__["opened"][1]["providers"][0][1]


@pytest.mark.unit
def test_a_session_that_fell_back_to_the_cpu_is_refused(fake_cuda: Network, model: OnnxModel) -> None:
    fake_cuda.providers = ["CPUExecutionProvider"]
    with pytest.raises(DeviceLost):
        model.open("cuda:0")


@pytest.mark.unit
@pytest.mark.parametrize(("operator", "level"), [("Conv", "warning"), ("Shape", "debug")])
def test_what_of_a_network_runs_on_the_cpu_is_said(
    fake_cuda: Network, model: OnnxModel, operator: str, level: str
) -> None:
    def part(provider: str, kind: str) -> Any:
        return SimpleNamespace(ep_name=provider, get_nodes=lambda: [SimpleNamespace(op_type=kind)])

    fake_cuda.parts = [part(PROVIDER, "Gemm"), part("CPUExecutionProvider", operator)]
    with capture_logs() as logs:
        model.open("cuda:0")
    assert [(entry["log_level"], entry["operators"]) for entry in logs] == [(level, [operator])]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Exception during initialization: Failed to allocate memory for requested buffer", OutOfDeviceMemory),
        ("CUDA failure 100: no CUDA-capable device is detected", DeviceLost),
        ("INVALID_PROTOBUF : Load model failed: Protobuf parsing failed.", ModelIntegrityError),
    ],
)
def test_why_a_session_does_not_open(fake_cuda: Network, model: OnnxModel, message: str, kind: type[Exception]) -> None:
    fake_cuda.failure = RuntimeError(message)
    with pytest.raises(kind):
        model.open("cuda:0")


@pytest.mark.unit
def test_on_the_cpu_a_model_that_does_not_open_is_damaged(fake_cuda: Network, model: OnnxModel) -> None:
    fake_cuda.failure = RuntimeError("Failed to allocate memory")
    with pytest.raises(ModelIntegrityError, match="fake:1"):
        model.open("cpu")


@pytest.mark.unit
def test_an_unknown_model_is_estimated_from_its_largest_input_and_looked_up_once(
    fake_cuda: Network, model: OnnxModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model.profile("a card") == estimate(1000, 4 * 16 * 3, rows=16)
    monkeypatch.setattr(profiles, "read", lambda *_: pytest.fail("it was looked up again"))
    assert not model.profile("a card").measured


@pytest.mark.unit
def test_a_measured_profile_is_used_for_its_card_alone(fake_cuda: Network, model: OnnxModel) -> None:
    measurement = Measurement(
        weights=1,
        peak=3,
        steady=2,
        cpu=0.1,
        cpu_most=1.0,
        gpu=0.02,
        gpu_most=0.1,
        load=0.5,
        load_cpu=0.4,
        unload=0.01,
        date=datetime(2026, 1, 2, tzinfo=UTC),
        method="a test",
    )
    profiles.write(model.installed, model.key("T4"), measurement)
    profile = model.profile("T4")
    assert profile.measured
    assert (profile.footprint.weights, profile.footprint.peak, profile.footprint.steady) == (1, 3, 2)
    assert (profile.costs.cpu, profile.costs.gpu, profile.costs.load, profile.costs.load_cpu) == (0.1, 0.02, 0.5, 0.4)
    assert not model.profile("L4").measured


@pytest.mark.unit
def test_all_simulated_cards_are_one(fake_cuda: Network, model: OnnxModel) -> None:
    assert model.key("simulated:1GiB") == model.key("simulated")
    assert model.key("simulated").options != model.key("T4").options


# ---- on a real card ----
