"""Who somebody is, once that was proven."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["user", "admin", "service"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A name that was proven, and what it may do."""

    name: str
    role: Role
