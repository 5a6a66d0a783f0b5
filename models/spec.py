"""One entry of the catalogue: what a model is, where its bytes come from, its input, and what it may be used for."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from facesocial.capabilities import Capability

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$", max_length=63)]


def _no_dot_segments(url: str) -> str:
    if {".", ".."} & set(url.split("/")):
        raise ValueError("a url with . or .. has no place in a mirror")
    return url


Url = Annotated[
    str,
    Field(pattern=r"^https://[a-z0-9.-]+(/[^/?#\s]+)+$"),
    AfterValidator(_no_dot_segments),
]


class Entry(BaseModel):
    """A part of the catalogue: frozen, and no field that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Archive(Entry):
    """A zip that holds a source, tried after its own urls. `sha256` and `bytes` are those of the zip."""

    urls: tuple[Url, ...] = Field(min_length=1)
    sha256: Digest
    bytes: int | None = Field(default=None, gt=0, description="None: the publisher does not state it")
    member: str = Field(pattern=r"^[^/\\]+$", description="file name inside the zip, in whichever folder")


class Source(Entry):
    """One file of a model. The urls are tried in order; any of them, or the archive, must give exactly these bytes."""

    packaged: str | None = Field(
        default=None, pattern=r"^[a-z0-9_]+/model\.onnx$", description="a file in models/weights/: no host is asked"
    )
    urls: tuple[Url, ...] = Field(default=(), description="empty: only in the archive, or only by import")
    sha256: Digest
    bytes: int | None = Field(default=None, gt=0, description="None: the publisher does not state it")
    archive: Archive | None = None

    @property
    def file_name(self) -> str:
        """What a person calls the file."""
        if self.packaged:
            return self.packaged
        if self.urls:
            return self.urls[0].rpartition("/")[2]
        return self.archive.member if self.archive else self.sha256


class Licence(Entry):
    """What the weights may be used for. `commercial` is False for non-commercial, copyleft and unclear terms."""

    name: str
    commercial: bool
    note: str = ""

    @property
    def needs_acceptance(self) -> bool:
        """True when `facesocial models pull` asks for --accept-license."""
        return not self.commercial


class Preprocessing(Entry):
    """How uint8 pixels become the input: (pixel * scale - mean) / std, per channel in `color` order, NCHW float32."""

    color: Literal["rgb", "bgr"]
    size: tuple[int, int] | None = Field(
        default=None, description="(width, height) in pixels; None: the network takes any"
    )
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Branch(Entry):
    """One input of a network that looks at the same face at several scales (MiniFASNet)."""

    crop_scale: float = Field(gt=0, description="side of the crop as a multiple of the face box")


class Threshold(Entry):
    """A decision threshold and the data it comes from. No score is shown without one."""

    value: float
    metric: str = Field(description="what it separates and at which operating point, such as 'TAR at FAR 1e-3'")
    data: str = Field(description="the data it was calibrated on, with the number of samples")
    interval: tuple[float, float] | None = Field(default=None, description="95 % confidence interval of the value")
    calibrated: bool = Field(default=True, description="False: taken from the publisher, not measured by us")


class Quantisation(Entry):
    """What made an int8 variant of the weights that the sources describe, see `runners/quantisation.py`."""

    method: str = Field(description="the recipe, and the onnxruntime that followed it")
    calibration: Digest = Field(description="of every input that the ranges were measured on")
    samples: int = Field(gt=0, description="number of those inputs")


ADAPTERS: Final = frozenset(
    {
        (Capability.DETECTION, "scrfd"),
        (Capability.DETECTION, "starter"),
        (Capability.DETECTION, "ultraface"),
        (Capability.DETECTION, "yolov10_face"),
        (Capability.DETECTION, "yolov5_face"),
        (Capability.DETECTION, "yolov8_face"),
        (Capability.DETECTION, "yunet"),
        (Capability.RECOGNITION, "arcface"),
        (Capability.RECOGNITION, "sface"),
        (Capability.LIVENESS, "hairymax"),
        (Capability.LIVENESS, "minifasnet"),
        (Capability.LIVENESS, "starter"),
        (Capability.DEEPFAKE, "mesonet"),
        (Capability.DEEPFAKE, "starter"),
        (Capability.DEMOGRAPHICS, "faceapi"),
        (Capability.DEMOGRAPHICS, "insightface_96"),
        (Capability.DEMOGRAPHICS, "insightface_v1"),
        (Capability.DEMOGRAPHICS, "starter"),
        (Capability.MESH, "face_landmarker"),
    }
)
"""What runners/ can read, as capability and architecture; a test of runners/library.py keeps the two alike."""

STARTER: Final = "starter"
"""The pack inside the package."""

DECIDING: Final = (Capability.RECOGNITION, Capability.LIVENESS, Capability.DEEPFAKE)
"""Capabilities that answer yes or no, and so need a threshold."""


class ModelSpec(Entry):
    """One entry of `catalogue.yaml`: one network, one file after conversion, one session."""

    name: Name
    capability: Capability | Literal["quality"] = Field(description="quality: listed and pulled, served by no route")
    architecture: str = Field(description="the adapter in runners/<capability>/ that knows its input and output")
    zone: Literal["critical", "high", "flexible"]
    pin: bool = False
    packs: tuple[str, ...] = ()
    sources: tuple[Source, ...] = Field(min_length=1)
    converter: str | None = Field(
        default=None, description="name in models/convert/; None: the source is served as it is"
    )
    quantisation: Quantisation | None = Field(default=None, description="None: the weights as they were published")
    licence: Licence
    preprocessing: Preprocessing
    branches: tuple[Branch, ...] = ()
    embedding_size: int | None = Field(default=None, gt=0)
    score_threshold: float | None = Field(default=None, ge=0, le=1, description="detectors: default min_score")
    nms_iou: float | None = Field(
        default=None, gt=0, le=1, description="detectors: boxes that overlap more are one face; None: not suppressed"
    )
    threshold: Threshold | None = None
    dynamic_batch: bool = True
    int8: bool = Field(default=False, description="the weights come as int8; `quantisation`: they were made so here")
    verified: bool = Field(default=True, description="False: nobody here has run these bytes")
    accuracy: str = ""
    limits: str = Field(default="", description="what the model is bad at; shown beside its score")

    @model_validator(mode="after")
    def _one_file_is_served(self) -> ModelSpec:
        if self.converter is None and len(self.sources) != 1:
            raise ValueError(f"{self.name}: several sources need a converter that makes one file of them")
        if STARTER in self.packs and (self.converter or not self.is_starter):
            raise ValueError(f"{self.name}: a starter model is a file of the package, as it is")
        return self

    @property
    def is_starter(self) -> bool:
        """Whether its weights are those inside the package, as they are or quantised."""
        return any(source.packaged for source in self.sources)

    @property
    def alias(self) -> str | None:
        """The alias this model can be activated under; None: it cannot be served, see `obstacle`."""
        return None if self.obstacle or self.capability == "quality" else self.capability.alias

    @property
    def obstacle(self) -> str | None:
        """Why the model cannot be served; None: it can."""
        if self.capability == "quality":
            return "no route serves quality"
        if (self.capability, self.architecture) not in ADAPTERS:
            return f"there is no adapter for {self.architecture} yet"
        if self.capability in DECIDING and self.threshold is None:
            return "the catalogue has no threshold for it"
        return None

    @property
    def caveat(self) -> str:
        """What to know about its scores; empty: nothing."""
        borrowed = self.threshold is not None and not self.threshold.calibrated
        remarks = (
            self.limits,
            "the threshold is the publisher's, not calibrated by us" * borrowed,
            f"{self.licence.name}; commercial use: no" * self.is_starter,  # nobody was asked to accept it
        )
        return "; ".join(filter(None, remarks))

    @property
    def served_sha256(self) -> str | None:
        """Digest of the file that is served; None: only the conversion or quantisation tells."""
        return self.sources[0].sha256 if self.converter is None and self.quantisation is None else None

    @property
    def contract_id(self) -> str:
        """Which vectors may be compared: sources, converter@version, quantisation, preprocessing; 16 hex digits."""
        from models.convert import VERSION

        text = "|".join(
            [
                *(source.sha256 for source in self.sources),
                f"{self.converter}@{VERSION}" if self.converter else "as it is",
                *([self.quantisation.model_dump_json()] if self.quantisation else []),
                self.preprocessing.model_dump_json(),
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def quantised(self, quantisation: Quantisation, accuracy: str) -> ModelSpec:
        """The entry of its int8 variant: a model of its own, in no pack, with this one's licence and thresholds."""
        limits = "int8 weights made on this machine, thresholds as measured with float32"
        changes = {
            "name": f"{self.name}_int8",
            "quantisation": quantisation,
            "packs": (),
            "accuracy": accuracy,
            "limits": "; ".join(filter(None, (self.limits, limits))),
        }
        return ModelSpec.model_validate(self.model_dump() | changes)
