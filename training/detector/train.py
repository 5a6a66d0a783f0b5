"""How it is trained."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from rich.progress import track
from torch import nn

from facesocial.results import Image
from training.blocks import pixels
from training.detector.network import Detector
from training.detector.scenes import SIDE, Stage
from training.detector.sources import sources
from training.detector.targets import losses, targets
from training.detector.views import settled
from training.loop import Batch, Losses, Schedule, fit
from training.pictures import Photograph

BATCH: Final = 24
SEED: Final = 20261126


def train(photographs: Iterable[Photograph], backgrounds: list[Image], folder: Path, steps: int) -> nn.Module:
    """The trained network."""
    torch.manual_seed(SEED)
    stage = Stage(sources(track(list(photographs), "settling landmarks"), settled), backgrounds, SEED)
    return fit(Detector(), lambda step: batch(stage, step), losses_of, Schedule(steps, rate=4e-3), folder)


def batch(stage: Stage, step: int) -> Batch:
    """Images, kinds, values and weights of a step, see `targets`."""
    scenes = [stage.scene(step * BATCH + row) for row in range(BATCH)]
    wanted = [targets(scene.boxes, scene.points, scene.known, SIDE) for scene in scenes]
    return np.stack([scene.image for scene in scenes]), *(np.stack(part) for part in zip(*wanted, strict=True))


def losses_of(network: nn.Module, batch: Batch) -> Losses:
    """See `training.detector.targets.losses`."""
    images, *wanted = batch
    return losses(network(pixels(images)), *wanted)
