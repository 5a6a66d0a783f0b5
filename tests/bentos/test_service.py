"""Every inference route of api.md over real HTTP, on real models: the three body forms, each answer, each error."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import bentoml
import httpx
import numpy as np
import pytest
from PIL import ExifTags, Image

from cli.process import Service
from cli.vram.service import credentials
from tests.bentos.processes import written
from tests.pictures import encoded, noise, plain
from tests.wire import code, send

pytestmark = pytest.mark.integration

LIMIT = 10 * 1024 * 1024
FIELDS: dict[str, set[str]] = {
    "/v1/detect": set(),
    "/v1/analyze": {"embedding", "liveness", "deepfake", "age", "gender"},
    "/v1/embed": {"embedding"},
    "/v1/liveness": {"liveness"},
    "/v1/deepfake": {"deepfake"},
    "/v1/demographics": {"age", "gender"},
}
BODIES = ("multipart", "raw", "json")


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("route", FIELDS)
def test_every_route_in_every_body_form(client: httpx.Client, picture: bytes, route: str, body: str) -> None:
    response = send(client, route, body, picture, max_faces=4, min_score=0.3)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert {"request_id", "image", "models", "device", "timing_ms", "cached", "faces"} <= answer.keys()
    assert answer["image"] == {"width": 1280, "height": 886}
    assert answer["cached"] is False
    assert answer["request_id"] == response.headers["x-request-id"]
    assert set(answer["device"].values()) == {"cpu"}
    assert {f"face-{capability}" for capability in answer["device"]} == answer["models"].keys()
    assert all(spent >= 0 for spent in answer["timing_ms"].values())
    scores = [face["score"] for face in answer["faces"]]
    assert len(scores) == 4
    assert scores == sorted(scores, reverse=True)
    for face in answer["faces"]:
        assert face.keys() == {"box", "score", "landmarks"} | FIELDS[route]
        x1, y1, x2, y2 = face["box"]
        assert 0 <= x1 < x2 <= 1280
        assert 0 <= y1 < y2 <= 886
        left_eye, right_eye, nose, left_mouth, right_mouth = face["landmarks"]
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_eye[1] < nose[1] < left_mouth[1]
        assert left_mouth[0] < right_mouth[0]


def test_results_have_the_fields_of_the_contract(client: httpx.Client, picture: bytes) -> None:
    for face in send(client, "/v1/analyze", "multipart", picture).json()["faces"]:
        assert face["embedding"].keys() == {"contract", "vector"}
        assert np.linalg.norm(face["embedding"]["vector"]) == pytest.approx(1, abs=1e-4)
        for task, verdict in (("liveness", "live"), ("deepfake", "fake")):
            assert face[task].keys() == {verdict, "score", "threshold"}
            assert face[task][verdict] == (face[task]["score"] >= face[task]["threshold"])
            assert 0 <= face[task]["score"] <= 1
        assert 0 < face["age"] < 120
        assert face["gender"]["label"] in ("female", "male")
        assert 0.5 <= face["gender"]["score"] <= 1


def test_mesh_comes_when_asked_for(client: httpx.Client, picture: bytes) -> None:
    answer = send(client, "/v1/analyze", "raw", picture, tasks="mesh", max_faces=3).json()
    assert answer["device"]["mesh"] == "cpu"
    for face in answer["faces"]:
        assert face["mesh"].keys() == {"points", "pose", "blendshapes"}
        points = np.array(face["mesh"]["points"])
        assert points.shape == (478, 3)
        assert (points[:, :2] >= 0).all()
        assert (points[:, :2] <= (1280, 886)).all()
        assert face["mesh"]["pose"].keys() == {"yaw", "pitch", "roll"}
        assert len(face["mesh"]["blendshapes"]) == 52


def test_min_score_and_max_faces(client: httpx.Client, picture: bytes) -> None:
    scores = [face["score"] for face in send(client, "/v1/detect", "raw", picture).json()["faces"]]
    assert len(scores) == 6
    above = send(client, "/v1/detect", "raw", picture, min_score=scores[2]).json()["faces"]
    assert [face["score"] for face in above] == scores[:3]
    assert len(send(client, "/v1/detect", "raw", picture, max_faces=2).json()["faces"]) == 2


def test_verify(client: httpx.Client, data: Path) -> None:
    people = {name: (data / "people" / f"{name}.jpg").read_bytes() for name in ("obama", "obama2", "biden")}

    def verify(a: bytes, b: bytes, **fields: str) -> dict[str, Any]:
        response = client.post("/v1/verify", files={"image_a": ("a", a), "image_b": ("b", b)}, data=fields)
        answer: dict[str, Any] = response.json()
        assert response.status_code == 200, answer
        assert {"similarity", "threshold", "same", "box_a", "box_b", "request_id", "models"} <= answer.keys()
        return answer

    assert verify(people["obama"], people["obama2"])["same"] is True
    assert verify(people["obama"], people["biden"])["same"] is False
    nobody = verify(people["obama"], noise())
    assert (nobody["similarity"], nobody["same"], nobody["box_b"]) == (None, None, None)
    assert verify(people["obama"], people["obama"], liveness="true")["device"]["liveness"] == "cpu"
    encoded_pair = {name: base64.b64encode(people["obama"]).decode() for name in ("image_a", "image_b")}
    answer = client.post("/v1/verify", json=encoded_pair | {"liveness": False}).json()
    assert answer["similarity"] == pytest.approx(1, abs=1e-4)
    assert code(client.post("/v1/verify", files={"image_a": ("a", people["obama"])})) == "file_expected"
    raw = client.post("/v1/verify", content=people["obama"], headers={"Content-Type": "image/jpeg"})
    assert code(raw) == "unsupported_media_type"


def test_bentomls_own_client(service: Service, six_faces: Path, data: Path) -> None:
    """It reads `/schema.json`, which wants a token (S5)."""
    token = credentials()["Authorization"].removeprefix("Bearer ")
    with bentoml.SyncHTTPClient(service.url, token=token) as client:
        assert len(client.detect(image=six_faces)["faces"]) == 6
        assert len(client.detect(image=six_faces, max_faces=2, min_score=0.2)["faces"]) == 2
        face = client.analyze(image=six_faces, tasks="embed,liveness")["faces"][0]
        assert face.keys() == {"box", "score", "landmarks", "embedding", "liveness"}
        pair = dict.fromkeys(("image_a", "image_b"), data / "people" / "obama.jpg")
        assert client.verify(**pair, liveness=False)["same"] is True
        client._temp_dir.cleanup()  # BentoML leaves it to the garbage collector, which warns


def test_no_face_is_no_error(client: httpx.Client) -> None:
    for route in FIELDS:
        response = send(client, route, "multipart", noise())
        assert (response.status_code, response.json()["faces"]) == (200, [])


@pytest.mark.parametrize(
    "fields", [{"tasks": "smile"}, {"min_score": 2}, {"max_faces": 0}, {"max_faces": 201}, {"role": "admin"}]
)
@pytest.mark.parametrize("body", BODIES)
def test_a_wrong_parameter_is_422(client: httpx.Client, body: str, fields: dict[str, Any]) -> None:
    response = send(client, "/v1/analyze", body, plain(), **fields)
    assert response.status_code == 422
    assert code(response) == "validation_error"
    assert next(iter(fields)) in response.json()["detail"]


def test_a_model_that_is_not_installed(detecting_service: Any) -> None:
    """503 with the command and without Retry-After; the default list leaves it out; readiness says so."""
    with httpx.Client(base_url=detecting_service.url, timeout=30) as client:
        assert send(client, "/v1/detect", "raw", plain()).status_code == 200
        for route, fields in (("/v1/embed", {}), ("/v1/analyze", {"tasks": "mesh"}), ("/v1/liveness", {})):
            response = send(client, route, "raw", plain(), **fields)
            assert (response.status_code, code(response)) == (503, "model_not_installed")
            assert "facesocial models pull" in response.json()["detail"]
            assert "retry-after" not in response.headers
        answer = send(client, "/v1/analyze", "raw", plain()).json()
        assert answer["models"].keys() == {"face-detection"}
        state = client.get("/readyz").json()
        assert state["ready"] is True
        assert len(state["degraded"]) == 5


def test_without_a_detector_nothing_is_ready(empty_service: Any) -> None:
    with httpx.Client(base_url=empty_service.url, timeout=30) as client:
        response = client.get("/readyz")
        assert response.status_code == 503
        assert response.json()["reasons"] == ["face-detection: not installed"]
        assert response.headers["retry-after"]
        assert client.get("/livez").status_code == 200
        assert code(send(client, "/v1/detect", "raw", plain())) == "model_not_installed"


def test_the_log_tells_nothing_of_what_was_sent(detecting_service: Any) -> None:
    """Neither file name, query, EXIF nor content; one line a request, as JSON."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "artist-hunter2"
    image = encoded(Image.new("RGB", (64, 48)), "JPEG", exif=exif.tobytes())
    with httpx.Client(base_url=detecting_service.url, timeout=30) as client:
        headers = {"X-Request-Id": "find-this-line"}
        client.post("/v1/detect?query-hunter2=1", files={"image": ("name-hunter2.jpg", image)}, headers=headers)
        client.post("/v1/detect", files={"image": ("name-hunter2.jpg", image[:90])}, data={"field-hunter2": "hunter2"})
        client.get("/v1/models", headers={"X-Request-Id": "the-last-line"})
    log = written(detecting_service, "the-last-line")
    (line,) = [json.loads(line) for line in log.splitlines() if "find-this-line" in line]
    assert line["route"] == "/v1/detect"
    assert "hunter2" not in log
    assert base64.b64encode(image[:30]).decode()[:20] not in log
