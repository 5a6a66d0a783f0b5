"""On a real card: the networks of the pack, their memory, and no silent CPU."""

from __future__ import annotations

import gc
import time

import numpy as np
import onnxruntime
import pytest

from facesocial.capabilities import Capability
from facesocial.configuration import CpuSettings
from facesocial.errors import OutOfDeviceMemory
from models.library import Library
from runners.card_session import CardSession
from runners.cuda import PROVIDER
from runners.sessions import OnnxModel, OnnxSession
from vram_policy import device
from vram_policy.device import NvidiaCard
from vram_policy.footprint import Footprint, Profile, estimate


@pytest.fixture
def card() -> NvidiaCard:
    """The first card of this machine."""
    if PROVIDER not in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime was built without CUDA: install the extra gpu")
    if not device.cards():
        pytest.skip("no NVIDIA card here")
    return NvidiaCard(0, 0, device.cards()[0].name)


@pytest.mark.gpu
@pytest.mark.parametrize("capability", [one for one in Capability if one is not Capability.MESH])
def test_every_model_runs_on_the_card_as_on_the_cpu(card: NvidiaCard, library: Library, capability: Capability) -> None:
    """Padded to few sizes, and within 1e-2 of the CPU."""
    model = OnnxModel(library.resolve(capability), CpuSettings())
    on_gpu, on_cpu = model.open("cuda:0"), model.open("cpu")
    assert isinstance(on_gpu, CardSession)
    assert isinstance(on_gpu._session, OnnxSession)
    assert on_gpu._session._session.get_providers()[0] == PROVIDER
    model.warm(on_gpu)
    random = np.random.default_rng(0)
    rows = 3 if model.shapes[0][0][0] > 1 else 1
    inputs = [random.uniform(-1, 1, (rows, *shape[1:])).astype(np.float32) for shape in model.shapes[0]]
    for name, output in on_gpu.run(inputs).items():
        np.testing.assert_allclose(
            np.asarray(output, np.float32), np.asarray(on_cpu.run(inputs)[name], np.float32), rtol=1e-2, atol=1e-2
        )
    on_gpu.close()


@pytest.mark.gpu
def test_the_arena_ends_where_the_profile_does(card: NvidiaCard, recogniser: OnnxModel) -> None:
    """A profile of one megabyte: the first run finds no room."""
    costs = estimate(0, 0).costs
    recogniser._profiles["a small card"] = Profile(Footprint(1 << 20, 1 << 20, 1 << 20), costs, measured=True)
    with pytest.raises(OutOfDeviceMemory):
        recogniser.warm(recogniser.open("cuda:0"))


@pytest.mark.gpu
def test_a_closed_session_gives_its_memory_back(card: NvidiaCard, library: Library) -> None:
    """R11: within a tenth. The first session is not counted: it brings the context and the libraries along."""
    model = OnnxModel(library.resolve(Capability.DEEPFAKE), CpuSettings())
    held: list[int] = []
    for _ in range(3):
        before = card.memory().own
        session = card.open(model)
        model.warm(session)
        taken = card.memory().own - before
        session.close()
        gc.collect()
        time.sleep(0.2)
        held.append(card.memory().own - before)
    assert taken > 0
    assert max(map(abs, held[1:])) <= 0.1 * taken
