"""`facesocial demo`: the main job on a real picture, from weights to answer."""

from __future__ import annotations

import json
import time
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.models import open_installer, stand_ins
from cli.process import Service
from facesocial.errors import DownloadError, FaceSocialError, StoreNotWritable

OUTPUT = Path("facesocial-demo.jpg")
progress = Console(stderr=True)


def demo(
    image: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="default: a picture of six faces")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer alone on stdout")] = False,
) -> None:
    """Pull the permissive models, start the service, send it a picture and show what it says.

    Where no model host can be reached the starter models inside the package answer.
    """
    picture = image or sample()
    _check(picture)
    _pull()
    with progress.status("starting the service …"), Service.start() as service:
        progress.print(f"service ready at {service.url}")
        with progress.status("analysing …"):
            started = time.perf_counter()
            answer = service.post("/v1/analyze", picture)
            spent = time.perf_counter() - started
    _annotate(picture, answer["faces"])
    progress.print(f"{len(answer['faces'])} faces in {spent * 1000:.0f} ms; annotated picture: {OUTPUT.resolve()}")
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    Console().print(table(answer["faces"]) if answer["faces"] else "no face found")
    Console().print("* see what these models are bad at:")
    for alias, caveat in answer["caveats"].items():
        Console().print(f"[dim]{alias} ({answer['models'][alias]}): {escape(caveat)}[/dim]")


def sample() -> Path:
    """The six-face picture that the insightface package installs.

    Raises:
        FaceSocialError: the package is not installed.
    """
    try:
        return Path(str(resources.files("insightface.data").joinpath("images/t1.jpg")))
    except ModuleNotFoundError as error:
        raise FaceSocialError(
            "no sample picture: name one, or install the extra `demo` (uv sync --extra demo)"
        ) from error


def _check(picture: Path) -> None:
    """Find out what is wrong before anything is downloaded or started.

    Raises:
        FaceSocialError: the configuration is wrong, or the file is not a picture that the service takes.
    """
    from facesocial.configuration import load_configuration
    from services.pipeline.header import read_header

    read_header(picture.read_bytes(), load_configuration().limits)


def _pull() -> None:
    """Bring the permissive pack in; what is installed already costs nothing.

    Raises:
        FaceSocialError: it cannot be had, and no starter models stand in for it.
    """
    from models.catalogue import load_catalogue

    catalogue = load_catalogue()
    try:
        with open_installer() as installer:
            installer.pull(catalogue.pack(catalogue.default_pack))
    except (DownloadError, StoreNotWritable) as error:
        progress.print(escape(stand_ins(error)), style="dim", soft_wrap=True)


def table(faces: list[dict[str, Any]]) -> Table:
    """One row a face."""
    view = Table(title="faces")
    live, fake = (_threshold(faces, task) for task in ("liveness", "deepfake"))
    for column in (
        "face",
        "box",
        "score",
        f"live *{live}",
        f"fake *{fake}",
        "age *",
        "gender *",
        "nearest other, cosine",
    ):
        view.add_column(column)
    for index, face in enumerate(faces):
        view.add_row(
            str(index + 1),
            " ".join(f"{edge:.0f}" for edge in face["box"]),
            f"{face['score']:.2f}",
            _verdict(face.get("liveness"), "live"),
            _verdict(face.get("deepfake"), "fake"),
            "–" if face.get("age") is None else f"{face['age']:.0f}",
            "–" if face.get("gender") is None else f"{face['gender']['label']} {face['gender']['score']:.2f}",
            _nearest(index, faces),
        )
    return view


def _verdict(result: dict[str, Any] | None, key: str) -> str:
    if result is None:
        return "–"
    return f"{'yes' if result[key] else 'no'} {result['score']:.3f}"


def _threshold(faces: list[dict[str, Any]], task: str) -> str:
    """For the head of a column; empty when the task was not done."""
    result = faces[0].get(task)
    return f" ≥ {result['threshold']:.3f}" if result else ""


def _nearest(index: int, faces: list[dict[str, Any]]) -> str:
    """The other face with the highest cosine similarity."""
    own = faces[index].get("embedding")
    others = [
        (_dot(own["vector"], other["embedding"]["vector"]), place)
        for place, other in enumerate(faces)
        if own and place != index and other.get("embedding")
    ]
    return f"{max(others)[1] + 1} ({max(others)[0]:+.2f})" if others else "–"


def _dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _annotate(picture: Path, faces: list[dict[str, Any]]) -> None:
    """Draw boxes, landmarks and numbers into a copy beside the current folder."""
    import cv2
    import numpy as np

    canvas = cv2.imdecode(np.frombuffer(picture.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if canvas is None:
        raise FaceSocialError("the picture cannot be drawn on")
    thickness = max(1, round(max(canvas.shape) / 640))
    for index, face in enumerate(faces):
        x1, y1, x2, y2 = (round(edge) for edge in face["box"])
        cv2.rectangle(canvas, (x1, y1), (x2, y2), (80, 220, 80), thickness)
        for x, y in face["landmarks"] or []:
            cv2.circle(canvas, (round(x), round(y)), 2 * thickness, (60, 60, 240), -1)
        words = [str(index + 1)]
        if face.get("gender"):
            words.append(f"{face['gender']['label'][0]} {face['age']:.0f}")
        cv2.putText(
            canvas, " ".join(words), (x1, y1 - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.6 * thickness, (80, 220, 80), thickness
        )
    try:
        OUTPUT.write_bytes(cv2.imencode(OUTPUT.suffix, canvas)[1].tobytes())
    except OSError as error:
        raise FaceSocialError(f"{OUTPUT.resolve()} cannot be written: {error.strerror}") from error
