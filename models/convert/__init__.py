"""Turns weights as their authors published them into ONNX, without torch, tensorflow or keras.

A conversion runs in a child process with limits. Importing this package is cheap: what the extra `convert` installs
loads when something is converted.
"""

from __future__ import annotations

from models.convert.process import Limits, convert
from models.convert.registry import CONVERTERS, VERSION

__all__ = ["CONVERTERS", "VERSION", "Limits", "convert"]
