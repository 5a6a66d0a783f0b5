"""Ways from an encoded picture to an embedding of each face. Each is built and run in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

import cv2
import numpy as np

from cli.bench.measurement import Block, measure
from facesocial.capabilities import Capability, Task
from facesocial.configuration import load_configuration
from facesocial.memory import keep_freed_pages
from models.library import Library
from models.store import home
from runners.crops import ARCFACE_TEMPLATE, similarity
from runners.detection.base import choose_canvas, letterbox, suppress
from runners.detection.scrfd import Scrfd
from runners.sessions import OnnxModel, cpu_options
from runners.tensors import to_nchw

Contestant: TypeAlias = Callable[[bytes], int]
"""Embeds every face of an encoded picture and gives their number."""

WARM_UP: Final = 5
NETWORKS: Final = (Capability.DETECTION, Capability.RECOGNITION)


def limit() -> Contestant:
    """The straight line: what the pixels and networks cost when nothing else is done. No header gate, no JSON."""
    cpu = load_configuration().cpu
    detector, recognizer = (Library.open().resolve(capability) for capability in NETWORKS)
    detect, embed = (OnnxModel(model, cpu).open("cpu").run for model in (detector, recognizer))
    decode = Scrfd(detector.spec).decode
    min_score, iou = detector.spec.score_threshold or 0.5, detector.spec.nms_iou or 0.4

    def run(data: bytes) -> int:
        image = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        height, width = image.shape[:2]
        canvas = choose_canvas(width, height)
        fit = min(1.0, canvas[0] / width, canvas[1] / height)
        board = letterbox(image, (round(width * fit), round(height * fit)), canvas)
        found = decode(detect([to_nchw([board], detector.spec.preprocessing)]), canvas, min_score)
        points = found.landmarks[suppress(found, iou, 100)] / np.float32(fit)  # type: ignore[index]  # SCRFD has them
        to_crops = [similarity(face, ARCFACE_TEMPLATE) for face in points]
        crops = [np.asarray(cv2.warpAffine(image, m, (112, 112)), np.uint8) for m in to_crops if m is not None]
        (vectors,) = embed([to_nchw(crops, recognizer.spec.preprocessing)]).values()
        return len(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    return run


def pipeline() -> Contestant:
    """`services.pipeline` in process, from bytes to a report."""
    from bentos.composition import compose
    from services.pipeline.header import read_header
    from services.pipeline.picture import Picture

    configuration = load_configuration()
    parts = compose(configuration)

    def run(data: bytes) -> int:
        picture = Picture(data, read_header(data, configuration.limits))
        return len(parts.pipeline.analyze(picture, (Task.EMBED,)).faces)

    return run


def face_analysis(**arguments: Any) -> Contestant:
    """`insightface.app.FaceAnalysis` on the same two files."""
    from insightface.app import FaceAnalysis

    folder = home() / "insightface"
    folder.mkdir(exist_ok=True)
    for model in map(Library.open().resolve, NETWORKS):
        (folder / f"{model.spec.name}.onnx").write_bytes(model.read())
    providers = ["CPUExecutionProvider"]
    app = FaceAnalysis(str(folder), allowed_modules=["detection", "recognition"], providers=providers, **arguments)
    app.prepare(ctx_id=-1, det_size=(640, 640))

    def run(data: bytes) -> int:
        faces = app.get(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
        return len([face.normed_embedding for face in faces])

    return run


CONTESTANTS: Final[dict[str, Callable[[], Contestant]]] = {
    "limit": limit,
    "pipeline": pipeline,
    "FaceAnalysis, our options": lambda: face_analysis(sess_options=cpu_options(load_configuration().cpu)),
    "FaceAnalysis as it comes": face_analysis,
}


def run_block(name: str, data: bytes, requests: int) -> Block:
    """Time a contestant; the first block of a process builds it."""
    contestant = _ready(name, data)
    return measure(lambda: contestant(data), requests)


@cache
def _ready(name: str, data: bytes) -> Contestant:
    if "FaceAnalysis" not in name:
        cv2.setNumThreads(1)  # as the service does
        keep_freed_pages()
    contestant = CONTESTANTS[name]()
    for _ in range(WARM_UP):
        contestant(data)
    return contestant
