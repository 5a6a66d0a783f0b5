"""What all sections of the configuration have in common."""

from pydantic import BaseModel, ConfigDict

MEBIBYTE = 1 << 20


class Section(BaseModel):
    """Frozen, and no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")
