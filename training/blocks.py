"""Parts that several networks are made of."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


def conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU: three that int8 makes one of."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def patches(inputs: int, outputs: int) -> nn.Sequential:
    """A quarter of the sides in one step: maps of half the sides cost a third of a small network's training."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 6, 4, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """Two dense 3×3 convolutions around a short cut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, inputs: Tensor) -> Tensor:
        """Same shape."""
        return torch.relu(inputs + self.second(self.first(inputs)))


def trunk(*widths: int) -> nn.Sequential:
    """Halves the sides at each width; a residual block after all but the first and the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise((3, *widths)):
        layers.append(conv(inputs, outputs, 2))
        if outputs not in (widths[0], widths[-1]):
            layers.append(Residual(outputs))
    return nn.Sequential(*layers)


def hedged(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy with labels of which nobody is surer than 95 %: they are those of whole videos and sessions."""
    cross: Tensor = nn.functional.binary_cross_entropy_with_logits(logits, labels * 0.9 + 0.05)
    return cross


def pixels(images: Tensor) -> Tensor:
    """uint8 [n, h, w, 3] BGR → float32 [n, 3, h, w] in −1 … 1, channels last."""
    return (images.permute(0, 3, 1, 2).float() - 127.5) / 127.5
