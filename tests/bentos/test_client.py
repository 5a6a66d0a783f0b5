"""The client against a real service: every method, both clients, and the examples of its README."""

from __future__ import annotations

import asyncio
import math
import re
from pathlib import Path

import pytest

from cli.process import Service
from facesocial_client import (
    Analysis,
    AsyncClient,
    Client,
    InvalidParameter,
    ModelNotInstalled,
    NotFound,
    UnsupportedMediaType,
)
from tests.pictures import noise, of_the_six, plain

pytestmark = pytest.mark.integration

README = Path(__file__).parent.parent.parent / "client/README.md"


def test_every_method(service: Service, six_faces: Path, data: Path) -> None:
    with Client(service.url) as client, six_faces.open("rb") as file:
        found = client.detect(file)
        assert of_the_six(face.box for face in found.faces) == set(range(6))
        assert (found.image.width, found.image.height) == (1280, 886)
        assert len(client.detect(six_faces, min_score=found.faces[3].score, max_faces=3, timeout=20).faces) == 3
        (face,) = client.analyze(six_faces, ["embed", "mesh"], max_faces=1).faces
        assert face.box == found.faces[0].box
        assert face.embedding
        assert math.hypot(*face.embedding.vector) == pytest.approx(1, abs=1e-4)
        assert face.mesh
        assert (len(face.mesh.points), len(face.mesh.blendshapes)) == (478, 52)
        assert (face.liveness, face.reasons) == (None, None)
        for method, fields in (
            (client.embed, {"embedding"}),
            (client.liveness, {"liveness"}),
            (client.deepfake, {"deepfake"}),
            (client.demographics, {"age", "gender"}),
        ):
            answer: Analysis = method(six_faces, max_faces=2)
            assert [{name for name in fields if getattr(face, name) is not None} for face in answer.faces] == [
                fields
            ] * 2
        people = data / "people"
        same = client.verify(people / "obama.jpg", people / "obama2.jpg", liveness=True)
        assert same.live_a is not None
        assert client.verify(people / "obama.jpg", people / "biden.jpg").same is False
        nobody = client.verify(people / "obama.jpg", noise())
        assert (nobody.similarity, nobody.same, nobody.box_b) == (None, None, None)


async def test_many_at_once(service: Service, six_faces: Path) -> None:
    async with AsyncClient(service.url) as client:
        answers = await asyncio.gather(*(client.detect(six_faces, max_faces=count) for count in range(1, 6)))
    assert [len(answer.faces) for answer in answers] == [1, 2, 3, 4, 5]
    assert len({answer.request_id for answer in answers}) == 5


def test_refusals(service: Service, detecting_service: Service) -> None:
    with Client(service.url) as client:
        with pytest.raises(UnsupportedMediaType) as caught:
            client.detect(b"GIF89a")
        assert caught.value.request_id
        with pytest.raises(InvalidParameter, match="tasks"):
            client.analyze(plain(), "smile")
    with Client(f"{service.url}/elsewhere") as lost, pytest.raises(NotFound):
        lost.detect(plain())
    with Client(detecting_service.url) as client, pytest.raises(ModelNotInstalled, match="facesocial models pull"):
        client.embed(plain())


def test_the_examples_of_the_readme_run(
    service: Service,
    six_faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "group.jpg").symlink_to(six_faces)
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.+?)```", README.read_text("utf-8"), re.DOTALL)
    printed = []
    for example in (example for example in examples if "http://localhost:3000" in example):
        exec(compile(example.replace("http://localhost:3000", service.url), README.name, "exec"), {})
        printed.append(capsys.readouterr().out)
    first, second, third = printed
    assert len(first.splitlines()) == 7
    assert first.endswith("True\n")
    assert second.startswith("6 [")
    assert third.startswith("415 unsupported_media_type")
