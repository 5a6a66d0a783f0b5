"""What each inference route takes: the file fields and the checked parameters.

A form is what BentoML calls an input spec. It reads nothing itself: `from_http_request` only hands the request on, so
that reading happens inside the method, where an error becomes problem+json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Generic, Self, TypeVar

from _bentoml_sdk.io_models import IODescriptor
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from starlette.requests import Request

from facesocial.capabilities import Task
from facesocial.configuration import LimitSettings
from facesocial.errors import InvalidParameter
from services.edge.intake import Take
from services.edge.problems import in_words
from services.edge.upload import UploadedFile, read_upload

MOST_TASKS: Final = 16
"""Named in one request, some twice."""

ImageFile = Annotated[UploadedFile, WithJsonSchema({"type": "file", "format": "image"})]
"""Described to BentoML's client as a file."""


def _split(value: Any) -> Any:
    parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if isinstance(parts, list) and len(parts) > MOST_TASKS:  # each would become an error of its own
        raise ValueError(f"at most {MOST_TASKS} tasks")
    return parts


MinScore = Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False, description="default: the model's own")]
MaxFaces = Annotated[int | None, Field(ge=1, le=200, description="default 100")]
Tasks = Annotated[
    tuple[Task, ...] | None,
    BeforeValidator(_split),
    WithJsonSchema({"type": "string", "description": "comma list of embed, liveness, deepfake, demographics, mesh"}),
]

FormType = TypeVar("FormType", bound="Form")


@dataclass(frozen=True, slots=True)
class Reception(Generic[FormType]):
    """A request that has arrived and is not read yet. BentoML takes `model_fields` for the method's arguments."""

    form: FormReader[FormType]

    model_fields: ClassVar[tuple[str, ...]] = ("form",)


@dataclass(frozen=True, slots=True)
class FormReader(Generic[FormType]):
    """Reads one request into a form."""

    kind: type[FormType]
    request: Request

    async def read(self, limits: LimitSettings, take: Take) -> FormType:
        """The checked form; `take` is asked before more of its body is kept.

        Raises:
            InputError: the body cannot be read, or a parameter is unknown or out of range.
            Overloaded: there are too many bodies in memory.
        """
        upload = await read_upload(self.request, tuple(self.kind.multipart_fields), limits, take)
        return self.kind.checked({**upload.fields, **upload.files})


class Form(IODescriptor):  # type: ignore[misc]  # BentoML ships no types
    """Base of all forms."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    media_type: ClassVar[str | None] = "multipart/form-data"

    @classmethod
    def __pydantic_init_subclass__(cls) -> None:
        cls.multipart_fields = [name for name, field in cls.model_fields.items() if field.annotation is UploadedFile]

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Any:  # noqa: ARG003 — BentoML's signature
        """See the module's docstring."""
        return Reception(FormReader(cls, request))

    @property
    def files(self) -> tuple[UploadedFile, ...]:
        """In the order of the fields."""
        return tuple(getattr(self, name) for name in self.multipart_fields)

    @property
    def parameters(self) -> dict[str, Any]:
        """All that is asked but the content of the files: JSON values by field, what is declared of a file in its."""
        declared = {name: file.declared for name, file in zip(self.multipart_fields, self.files, strict=True)}
        asked: dict[str, Any] = self.model_dump(mode="json", exclude=set(declared))
        return asked | declared

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """Validate.

        Raises:
            InvalidParameter: naming each field and what is wrong with it.
        """
        try:
            checked: Self = cls.model_validate(values)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            raise InvalidParameter(in_words(found)) from error
        return checked


class ImageForm(Form):
    """One image, and how to look for faces in it."""

    image: ImageFile
    min_score: MinScore = None
    max_faces: MaxFaces = None


class AnalyzeForm(ImageForm):
    """One image and the tasks."""

    tasks: Tasks = None


class VerifyForm(Form):
    """Two images."""

    image_a: ImageFile
    image_b: ImageFile
    liveness: bool = False
