"""The routes without HTTP: deadline, declared types, limits on faces, verification on real pictures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bentos.composition import Parts
from facesocial.capabilities import Task
from facesocial.configuration import Configuration, LimitSettings
from facesocial.errors import DeadlineExceeded, InvalidParameter, UnsupportedMediaType
from services.deadline import Deadline
from services.edge.forms import ImageForm, VerifyForm
from services.edge.inference import Inference
from services.edge.upload import UploadedFile
from services.visit import Visit
from tests.pictures import noise, plain
from tests.services.desks import gated_desk
from tests.vram_policy.fakes import FakeModel
from vram_policy import CpuArbiter
from vram_policy.arbiter import GpuArbiter
from vram_policy.simulated import SimulatedGpu

pytestmark = pytest.mark.unit


@contextmanager
def inference(gated: Any, **settings: Any) -> Iterator[Inference]:
    """One thread; a pipeline that waits."""
    configuration = Configuration(**settings)
    desk = gated_desk(gated, configuration)
    yield Inference(desk, configuration)
    desk.threads.shutdown()


def visit(request_id: str, seconds: float = 30, upload_seconds: float = 0.0) -> Visit:
    return Visit(request_id, Deadline.after(seconds), upload_seconds)


def image_form(content: bytes, declared: str = "", **fields: Any) -> ImageForm:
    return ImageForm(image=UploadedFile(content, declared), **fields)


async def test_deadline_ends_the_waiting_and_what_had_not_begun(gated: Any) -> None:
    """504; the running work keeps its place until it ends, the queued one never starts (R15, R18)."""
    form = image_form(plain())
    with inference(gated) as service:
        first, second = await asyncio.gather(
            service.detect(form, visit("a", 0.1)), service.detect(form, visit("b", 0.1)), return_exceptions=True
        )
        assert isinstance(first, DeadlineExceeded)
        assert isinstance(second, DeadlineExceeded)
        assert str(first) == "timeout expired: no answer within 0.1 s"
        gated.gate.set()
        answer = await service.detect(form, visit("c"))
        assert answer.request_id == "c"
        assert gated.began == 2


async def test_r18_the_lease_ends_with_the_work_not_with_the_deadline(gated: Any) -> None:
    """504 in time; the card stays leased until the work ends, and nobody is let in beside it."""
    arbiter, model = GpuArbiter(SimulatedGpu(1000), 1000, CpuArbiter(), context=0, headroom=0), FakeModel()
    arbiter.lease(model).end()
    await asyncio.to_thread(arbiter.load, model.tag)
    detect = gated.detect

    def leased(*args: Any) -> Any:
        with arbiter.lease(model) as lease:
            assert lease.device == "simulated:0"
            return detect(*args)

    gated.detect = leased
    form = image_form(plain())
    with inference(gated) as service:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await service.detect(form, visit("a", 0.3))
        assert 0.3 <= time.monotonic() - began < 0.5
        assert arbiter.report().models[0].leases == 1
        third = asyncio.create_task(service.detect(form, visit("b")))
        await asyncio.sleep(0.1)
        assert gated.began == arbiter.report().models[0].leases == 1, "one thread, one lease"
        gated.gate.set()
        await third
        assert arbiter.report().models[0].leases == 0
    arbiter.close()


async def test_the_loop_stays_free_while_work_runs(gated: Any) -> None:
    with inference(gated) as service:
        task = asyncio.create_task(service.detect(image_form(plain()), visit("a")))
        await asyncio.to_thread(gated.entered.acquire)
        assert not task.done()
        gated.gate.set()
        assert len((await task).faces) == 3


@pytest.mark.parametrize("declared", ["", "application/octet-stream", "image/*", "image/png", "image/x-png"])
async def test_a_true_or_missing_declaration_passes(gated: Any, declared: str) -> None:
    gated.gate.set()
    with inference(gated) as service:
        answer = await service.detect(
            image_form(plain("PNG"), declared, max_faces=2, min_score=0.4), visit("a", upload_seconds=0.25)
        )
    assert (answer.image.width, answer.image.height) == (64, 48)
    assert [face.score for face in answer.faces] == [0.4, 0.4]
    assert answer.timing_ms == {"upload": 250, "detection": 1}
    assert answer.device == {"detection": "cpu"}


@pytest.mark.parametrize("declared", ["image/jpeg", "image/gif", "text/html", "video/mp4", "image/" + "x" * 9999])
async def test_i7_a_false_declaration_is_415(gated: Any, declared: str) -> None:
    with inference(gated) as service, pytest.raises(UnsupportedMediaType) as caught:
        await service.detect(image_form(plain("PNG"), declared), visit("a"))
    assert len(str(caught.value)) < 120
    assert gated.began == 0


async def test_more_faces_than_the_operator_permits_are_refused(gated: Any) -> None:
    limits = LimitSettings(faces_default=10, faces_max=50)
    with inference(gated, limits=limits) as service, pytest.raises(InvalidParameter, match="max_faces: at most 50"):
        await service.detect(image_form(plain(), max_faces=51), visit("a"))


@pytest.fixture
def six(six_faces: Path) -> bytes:
    """The picture of six people."""
    return six_faces.read_bytes()


def verify_form(a: bytes, b: bytes, liveness: bool = False) -> VerifyForm:
    return VerifyForm(image_a=UploadedFile(a, ""), image_b=UploadedFile(b, ""), liveness=liveness)


@pytest.mark.integration
async def test_verify_knows_people(parts: Parts, data: Path) -> None:
    obama, again, biden = ((data / "people" / name).read_bytes() for name in ("obama.jpg", "obama2.jpg", "biden.jpg"))
    same = await parts.inference.verify(verify_form(obama, again), visit("a"))
    other = await parts.inference.verify(verify_form(obama, biden), visit("b"))
    assert same.same is True
    assert other.same is False
    assert same.similarity is not None
    assert other.similarity is not None
    assert same.similarity >= same.threshold > other.similarity
    assert same.live_a is None
    assert same.models.keys() == {"face-detection", "face-recognition"}


@pytest.mark.integration
async def test_verify_with_liveness_is_false_unless_both_live(parts: Parts, data: Path) -> None:
    obama = (data / "people" / "obama.jpg").read_bytes()
    answer = await parts.inference.verify(verify_form(obama, obama, liveness=True), visit("a"))
    assert answer.similarity == pytest.approx(1, abs=1e-4)
    assert answer.same is (answer.live_a and answer.live_b)
    assert "face-liveness" in answer.models


@pytest.mark.integration
@pytest.mark.parametrize("liveness", [False, True])
async def test_verify_without_a_face_has_no_opinion(parts: Parts, data: Path, liveness: bool) -> None:
    obama = (data / "people" / "obama.jpg").read_bytes()
    answer = await parts.inference.verify(verify_form(obama, noise(), liveness), visit("a"))
    assert (answer.similarity, answer.same, answer.box_b) == (None, None, None)
    assert answer.box_a is not None


@pytest.mark.integration
async def test_verify_takes_the_largest_face(parts: Parts, six: bytes) -> None:
    found = await parts.inference.detect(image_form(six), visit("a"))
    assert found.caveats.keys() == {"face-detection"}
    largest = max(found.faces, key=lambda face: (face.box[2] - face.box[0]) * (face.box[3] - face.box[1]))
    answer = await parts.inference.verify(verify_form(six, six), visit("b"))
    assert answer.box_a == answer.box_b == largest.box


@pytest.mark.integration
async def test_analyze_says_only_what_was_asked(parts: Parts, six: bytes) -> None:
    form = image_form(six)
    answer = await parts.inference.analyze(form, (Task.EMBED, Task.EMBED), visit("a"))
    fields = answer.model_dump(exclude_unset=True)["faces"][0].keys()
    assert fields == {"box", "score", "landmarks", "embedding"}
    vectors = [face.embedding.vector for face in answer.faces if face.embedding]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    everything = await parts.inference.analyze(form, None, visit("b"))
    fields = everything.model_dump(exclude_unset=True)["faces"][0].keys()
    assert fields == {"box", "score", "landmarks", "embedding", "liveness", "deepfake", "age", "gender"}
