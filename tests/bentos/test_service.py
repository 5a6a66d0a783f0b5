"""Every inference route of api.md over real HTTP, on real models: the three body forms, each answer, each error."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bentoml
import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from cli.process import Service
from tests.pictures import BAD, animated, bad, encoded, noise, plain

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


@pytest.fixture(scope="module")
def picture(six_faces: Path) -> bytes:
    return six_faces.read_bytes()


def send(client: httpx.Client, route: str, body: str, image: bytes, **fields: Any) -> httpx.Response:
    """A picture in one of the three forms."""
    if body == "multipart":
        return client.post(route, files={"image": ("a", image)}, data={k: str(v) for k, v in fields.items()})
    if body == "raw":
        return client.post(route, content=image, headers={"Content-Type": "image/*"}, params=fields)
    return client.post(route, json={"image": base64.b64encode(image).decode(), **fields})


def code(response: httpx.Response) -> str:
    """Of a problem whose form is checked on the way."""
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem.keys() == {"type", "title", "status", "detail", "code", "request_id"}
    assert problem["status"] == response.status_code
    assert problem["request_id"] == response.headers["x-request-id"]
    return str(problem["code"])


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
    with bentoml.SyncHTTPClient(service.url) as client:
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


STATUS = {"image_too_large": 413, "unsupported_media_type": 415, "image_truncated": 422, "image_dimensions": 422}


@pytest.mark.parametrize("name", BAD)
def test_bad_pictures(client: httpx.Client, resident: Callable[[], int], picture: bytes, name: str) -> None:
    """I1–I6, I10, I11: status and code, bounded memory, nothing told about us, and the next request works."""
    data = bad(name)
    before = resident()
    response = send(client, "/v1/detect", "multipart", data)
    assert response.elapsed.total_seconds() < 2
    assert resident() - before < (5e6 if len(data) < 100_000 and name.startswith(("I1 ", "I2 ")) else 100e6)
    assert (code(response), response.status_code) == (BAD[name][0], STATUS[BAD[name][0]])
    told = response.json()["detail"].lower()
    assert not any(word in told for word in ("pil", "opencv", "libpng", "cv2", "python", "/"))
    assert len(send(client, "/v1/detect", "raw", picture).json()["faces"]) == 6


@pytest.mark.parametrize("end", [b"PK\x03\x04" + bytes(500), b"<?php phpinfo(); ?>"])
def test_i5_what_follows_the_picture_is_ignored(client: httpx.Client, picture: bytes, end: bytes) -> None:
    assert len(send(client, "/v1/detect", "multipart", picture + end).json()["faces"]) == 6


@pytest.mark.parametrize("declared", ["image/png", "image/gif", "text/html"])
def test_i7_a_false_declaration_is_415(client: httpx.Client, declared: str) -> None:
    response = client.post("/v1/detect", files={"image": ("a.jpg", plain("JPEG"), declared)})
    assert (response.status_code, code(response)) == (415, "unsupported_media_type")


def boxes(client: httpx.Client, image: bytes) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(boxes from left to right, their scores) of a picture."""
    faces = send(client, "/v1/detect", "raw", image).json()["faces"]
    faces.sort(key=lambda face: (face["box"][0], face["box"][1]))
    return np.array([face["box"] for face in faces]), np.array([face["score"] for face in faces])


def test_i8_odd_pixel_formats_find_what_their_rgb_twin_finds(client: httpx.Client, picture: bytes) -> None:
    """±0.02 in score, ±3 pixels; a dithered 1-bit picture is another picture: its twin is itself in RGB."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    grey, clear, bits = image.convert("L"), image.copy(), image.convert("1")
    clear.putalpha(77)
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    few = image.quantize(255)
    twins = {
        encoded(image.convert("CMYK"), "JPEG", quality=97): image,
        encoded(wide, "PNG"): grey.convert("RGB"),
        encoded(few, "PNG", transparency=bytes(range(255))): few.convert("RGB"),
        encoded(clear, "PNG"): image,
        encoded(grey.convert("LA"), "PNG"): grey.convert("RGB"),
        encoded(bits, "PNG"): bits.convert("RGB"),
    }
    for odd, twin in twins.items():
        (places, scores), (expected, similar) = boxes(client, odd), boxes(client, encoded(twin, "PNG"))
        assert len(scores) == len(similar)
        assert np.abs(scores - similar).max(initial=0) < 0.02
        assert np.abs(places - expected).max(initial=0) < 3


def test_i9_each_orientation_finds_the_same_faces(client: httpx.Client, picture: bytes) -> None:
    """The same upright picture, stored in eight ways: identical boxes within 6 of 1280 pixels (JPEG blocks differ)."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    turn = Image.Transpose
    stored = [None, turn.FLIP_LEFT_RIGHT, turn.ROTATE_180, turn.FLIP_TOP_BOTTOM]
    stored += [turn.TRANSPOSE, turn.ROTATE_90, turn.TRANSVERSE, turn.ROTATE_270]
    expected = boxes(client, encoded(image, "JPEG", quality=95))[0]
    for orientation, how in enumerate(stored, 1):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        turned = image if how is None else image.transpose(how)
        found = boxes(client, encoded(turned, "JPEG", quality=95, exif=exif.tobytes()))[0]
        assert np.abs(found - expected).max() < 6


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_i10_an_animation_is_its_first_frame(client: httpx.Client, picture: bytes, kind: str) -> None:
    first = Image.open(io.BytesIO(picture)).convert("RGB").resize((640, 443))
    others = [Image.new("RGB", first.size, (n, n, n)) for n in range(20)]
    data = encoded(first, kind, save_all=True, append_images=others)
    assert len(boxes(client, data)[0]) == 6
    assert send(client, "/v1/detect", "raw", animated(kind, 1000)).elapsed.total_seconds() < 1


@pytest.mark.parametrize("value", ["data:image/jpeg;base64,QUJD", "QUJD\n", "QUJ", "QUJD=", "QUJD" + "?!" * 9, 5, None])
def test_i12_base64_that_is_not_plain_is_422(client: httpx.Client, value: Any) -> None:
    response = client.post("/v1/detect", json={"image": value})
    assert (response.status_code, code(response)) == (422, "file_expected")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_i13_broken_pictures_over_http(client: httpx.Client, draw: st.DataObject) -> None:
    """Bit flips and random bytes behind a signature: 200, 413, 415 or 422, within 2 s."""
    data = bytearray(draw.draw(st.sampled_from(SEEDS)))
    for _ in range(draw.draw(st.integers(1, 6))):
        data[draw.draw(st.integers(0, len(data) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    response = send(client, "/v1/detect", "raw", bytes(data))
    assert response.status_code in (200, 413, 415, 422)
    assert response.elapsed.total_seconds() < 2


SEEDS = [noise("JPEG", 64, 48), noise("PNG", 64, 48), noise("WEBP", 64, 48), b"\xff\xd8\xff" + bytes(60)]


def test_i14_black_noise_and_ten_thousand_faces(client: httpx.Client, picture: bytes) -> None:
    """200 each, and no more faces than permitted."""
    mosaic = Image.open(io.BytesIO(picture)).convert("RGB").crop((0, 0, 1280, 886)).resize((60, 42))
    tiles = Image.fromarray(np.tile(np.asarray(mosaic), (48, 35, 1)))  # 35 × 48 × 6 faces
    for image in (Image.new("RGB", (640, 480)), Image.open(io.BytesIO(noise("PNG", 640, 480))), tiles):
        response = send(client, "/v1/detect", "raw", encoded(image, "JPEG"), max_faces=200, min_score=0)
        assert response.status_code == 200
        assert len(response.json()["faces"]) <= 200
        for face in response.json()["faces"]:
            assert np.isfinite(face["box"]).all()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("extra", [-128, 0, 1, 128])
def test_r26_the_limit_is_exact(client: httpx.Client, chunked: bool, extra: int) -> None:
    """Files of 10 MiB ± a little: up to the limit they are read, above it is 413 with the limit in the text."""
    data = plain()
    data += bytes(LIMIT + extra - len(data))
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'
    multipart = head + data + b"\r\n--b--\r\n"
    for content_type, body in (("image/jpeg", data), ("multipart/form-data; boundary=b", multipart)):
        content = (body[at : at + 65_536] for at in range(0, len(body), 65_536)) if chunked else body
        response = client.post("/v1/detect", content=content, headers={"Content-Type": content_type})
        if extra <= 0:
            assert response.status_code == 200
        else:
            assert (response.status_code, code(response)) == (413, "payload_too_large")
            assert str(LIMIT) in response.json()["detail"]


def test_a_crowd_of_errors_leaves_no_memory_behind(client: httpx.Client, resident: Callable[[], int]) -> None:
    """R25 in small: 60 refused uploads after a warm-up, RSS grows by less than 8 MB."""
    names = [name for name in BAD if len(bad(name)) < 1_000_000][:20]
    for name in names:
        send(client, "/v1/detect", "raw", bad(name))
    before = resident()
    for _ in range(3):
        for name in names:
            send(client, "/v1/detect", "raw", bad(name))
    assert resident() - before < 8e6


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
    log = detecting_service.log.read_text()
    (line,) = [json.loads(line) for line in log.splitlines() if "find-this-line" in line]
    assert line["path"] == "/v1/detect"
    assert "hunter2" not in log
    assert base64.b64encode(image[:30]).decode()[:20] not in log
