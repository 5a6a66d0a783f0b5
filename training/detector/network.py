"""The network."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from runners.detection.grid import STRIDES
from training.blocks import Residual, conv, patches

WIDTH: Final = 32
"""Channels of the pyramid."""


class Shared(nn.Module):
    """Convolution, batch norm, ReLU, the same for all levels of the pyramid, and one statistic of all their cells.

    A statistic of each level alone, as three calls of one layer have it, is not the one that is used afterwards: the
    coarsest level, which has the fewest cells, then sees other numbers in use than it learned on.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = conv(inputs, outputs)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """[n, c, h, w] of each level."""
        convolve, norm, bend = self.layers
        if not self.training:
            return [bend(norm(convolve(level))) for level in levels]
        maps = [convolve(level) for level in levels]
        normed = bend(norm(torch.cat([each.flatten(2) for each in maps], dim=2).unsqueeze(3))).squeeze(3)
        parts = normed.split([each.shape[2] * each.shape[3] for each in maps], dim=2)
        return [part.unflatten(2, each.shape[2:]) for part, each in zip(parts, maps, strict=True)]


class Detector(nn.Module):
    """A feature pyramid on strides 8, 16 and 32, one head for all three; .19 M parameters, 191 MMAC at 320×320.

    Dense 3×3 convolutions: on a CPU they learn more in the same time than twice as many channels depthwise.

    Input float32 [n, 3, h, w], BGR, −1 … 1, sides multiples of 32. Output [n, cells, 15], cells by rising stride, row
    by row: the score as a logit; the distances from the cell's centre to left, top, right and bottom of the box, in
    strides; the landmarks' offsets from the centre, in strides.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = patches(3, 32)
        self.stages = nn.ModuleList(
            (
                nn.Sequential(conv(32, 40, 2), Residual(40)),
                nn.Sequential(conv(40, 56, 2), Residual(56)),
                conv(56, 64, 2),
            )
        )
        self.lateral = nn.ModuleList(nn.Conv2d(channels, WIDTH, 1) for channels in (40, 56, 64))
        self.smooth = Shared(WIDTH, WIDTH)
        self.head, self.values = Shared(WIDTH, 48), nn.Conv2d(48, 5, 1)
        self.marks, self.points = Shared(WIDTH, WIDTH), nn.Conv2d(WIDTH, 10, 1)
        self.scale = nn.Parameter(torch.ones(len(STRIDES)))
        nn.init.constant_(self.values.bias[:1], -4.6)  # a face in a hundred cells

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        features = self.stem(images)
        levels = []
        for stage, lateral in zip(self.stages, self.lateral, strict=True):
            features = stage(features)
            levels.append(lateral(features))
        for coarse in (1, 0):
            levels[coarse] = levels[coarse] + nn.functional.interpolate(levels[coarse + 1], scale_factor=2.0)
        smooth = self.smooth(levels)
        whole, marks = self.head(smooth), self.marks(smooth)
        cells = [self._cells(whole[level], marks[level], self.scale[level]) for level in range(len(STRIDES))]
        return torch.cat(cells, dim=1)

    def _cells(self, whole: Tensor, marks: Tensor, scale: Tensor) -> Tensor:
        """[n, h·w, 15] of a level."""
        score, sides = self.values(whole).flatten(2).transpose(1, 2).split((1, 4), dim=2)
        points = self.points(marks).flatten(2).transpose(1, 2)
        return torch.cat([score, nn.functional.softplus(sides * scale), points * scale], dim=2)
