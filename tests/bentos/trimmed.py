"""FaceSocial, whose processes give back what they keep when they are told to."""

from __future__ import annotations

from bentos.service import FaceSocial
from tests.bentos.trim import obey

obey()

__all__ = ["FaceSocial"]
