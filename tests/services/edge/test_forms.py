"""What each route takes: ranges, unknown fields and tasks, and how a refusal reads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from facesocial.capabilities import Task
from facesocial.configuration import LimitSettings
from facesocial.errors import InvalidParameter
from services.edge.forms import AnalyzeForm, Form, FormReader, ImageForm, VerifyForm
from services.edge.upload import UploadedFile

pytestmark = pytest.mark.unit

FILE = UploadedFile(b"x", "")


def test_only_files_are_read_as_files() -> None:
    """BentoML's client learns from `multipart_fields` which arguments to open."""
    assert AnalyzeForm.multipart_fields == ["image"]
    assert VerifyForm.multipart_fields == ["image_a", "image_b"]


def test_defaults() -> None:
    form = AnalyzeForm.checked({"image": FILE})
    assert (form.min_score, form.max_faces, form.tasks) == (None, None, None)
    assert not VerifyForm.checked({"image_a": FILE, "image_b": FILE}).liveness


@pytest.mark.parametrize(
    ("sent", "tasks"),
    [
        ("embed", (Task.EMBED,)),
        (" mesh , embed,", (Task.MESH, Task.EMBED)),
        (["liveness"], (Task.LIVENESS,)),
        ("", ()),
        (None, None),
    ],
)
def test_tasks_are_a_comma_list_or_a_json_list(sent: Any, tasks: Any) -> None:
    assert AnalyzeForm.checked({"image": FILE, "tasks": sent}).tasks == tasks


WRONG: list[tuple[type[Form], str, list[Any]]] = [
    (ImageForm, "min_score", [-0.1, 1.1, float("nan"), float("inf"), "x", [], {}]),
    (ImageForm, "max_faces", [0, -1, 1.5, "x", 1e400, []]),
    (AnalyzeForm, "tasks", ["smile", "embed,smile", "Embed", 1, [1], {"embed": 1}]),
    (VerifyForm, "liveness", ["perhaps", 2, None, []]),
    (ImageForm, "tasks", ["embed"]),
    (ImageForm, "role", ["admin"]),
    (ImageForm, "image", ["http://127.0.0.1/"]),
]


@pytest.mark.parametrize(
    ("kind", "field", "value"), [(kind, field, value) for kind, field, values in WRONG for value in values]
)
def test_a_wrong_value_is_named(kind: type[Form], field: str, value: Any) -> None:
    """The field is in the message; what was sent is not."""
    files = dict.fromkeys(kind.multipart_fields, FILE)
    with pytest.raises(InvalidParameter, match=f"^{field}") as caught:
        kind.checked({**files, field: value})
    assert "smile" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_the_message_stays_short_whatever_is_sent() -> None:
    with pytest.raises(InvalidParameter) as caught:
        ImageForm.checked({"image": FILE} | {f"{n}{'a' * 10_000}": n for n in range(1000)})
    assert len(str(caught.value)) < 1500


async def test_reader_reads_the_form_of_its_kind(send: Callable[..., tuple[Request, Any]]) -> None:
    body = json.dumps({"image_a": "QUJD", "image_b": "REVG", "liveness": True}).encode()
    form = await FormReader(VerifyForm, send("application/json", body)[0]).read(LimitSettings(), lambda _: None)
    assert (form.image_a.content, form.image_b.content, form.liveness) == (b"ABC", b"DEF", True)


@pytest.mark.parametrize("tasks", ["a," * 32_000, ["a"] * 32_000, "embed," * 17])
def test_many_tasks_are_one_mistake(tasks: object) -> None:
    """Each would become an error of its own: a third of a second in which nobody else is answered."""
    began = time.perf_counter()
    with pytest.raises(InvalidParameter, match=r"tasks: .*at most 16"):
        AnalyzeForm.checked({"image": FILE, "tasks": tasks})
    assert time.perf_counter() - began < 0.1
    assert AnalyzeForm.checked({"image": FILE, "tasks": "embed," * 16}).tasks == (Task.EMBED,) * 16
