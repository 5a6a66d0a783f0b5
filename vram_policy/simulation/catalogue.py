"""The models of the contest: zones of models/catalogue.yaml, footprints and times as published, measured or estimated.

They total 7,044 MiB: 1.3 × the budget of a 6 GB card, 2.1 × that of a 4 GB card, 3 × that of a 3 GB card.

Bytes. `published`: resident on the card by exadel-inc/CompreFace#569 (r100 1533, r50 1213, r34 1075 MB) less the
context's 450 MiB, which `budget.CONTEXT` counts. microsoft/onnxruntime#5801: a MobileNet of 9 MB takes 126 MB where the
context is not counted and 443 MB where it is; #22130: a file of 205 MB takes 1.16 GB loaded and 2.25 GB while it runs.
`estimate`: ours, of weights, activations of batch 16 and cuDNN's workspaces.

CPU seconds of one run on one face or picture. `measured`: docs/benchmarks.md, batching, on two cores. Otherwise
published multiplications (`GMAC`) at 30 GMAC/s, what a core with AVX2 reaches in convolutions of float32, twice that
time where they are depthwise.

GPU and load seconds are estimates for an RTX 3060 Laptop: 3 TMAC/s and 2 ms for launches; a load opens a session,
copies the weights at 200 MB/s from disk and graph optimisation to card, and warms five batch sizes; 80 % of it is CPU.
"""

from __future__ import annotations

from typing import Final

from vram_policy.budget import CONTEXT, HEADROOM
from vram_policy.footprint import MEBIBYTE, Costs
from vram_policy.simulation.trace import SimulatedModel, Task
from vram_policy.zones import Zone


def _model(
    tag: str, task: Task, zone: Zone, mebibytes: int, cpu: float, gpu: float, load: float, unload: float = 0.1
) -> SimulatedModel:
    costs = Costs(cpu=cpu, gpu=gpu, load=load, load_cpu=round(0.8 * load, 2), unload=unload)
    return SimulatedModel(tag, task, zone, mebibytes * MEBIBYTE, costs)


CATALOGUE: Final = (
    # the overview's YOLOv10n at 640²; bytes: estimate; 3.35 GMAC published
    _model("yolov10n_face", "detection", "critical", 380, 0.120, 0.009, 2.0),
    # "Face Recognition (smallest)"; bytes: #5801's MobileNet, 126 MB, and batches; CPU: measured
    _model("mobilefacenet_foamliu", "recognition", "high", 150, 0.009, 0.003, 1.5),
    # two networks of 0.4 M parameters at 80²; bytes: estimate, as the former; CPU: measured
    _model("minifasnet_fused", "liveness", "high", 150, 0.009, 0.004, 1.3),
    # bytes: published, r50; 6.33 GMAC by microsoft/onnxruntime#11809
    _model("w600k_r50", "recognition", "flexible", 763, 0.210, 0.005, 2.5, 0.2),
    # bytes: published, r100; 12.1 GMAC
    _model("glintr100", "recognition", "flexible", 1083, 0.400, 0.008, 3.5, 0.2),
    # the same architecture
    _model("adaface_ir_101", "recognition", "flexible", 1083, 0.400, 0.008, 3.5, 0.2),
    # bytes: estimate, a little less than r34's; 2.6 GMAC
    _model("adaface_ir_18", "recognition", "flexible", 600, 0.087, 0.004, 2.0, 0.2),
    # a ResNet-34 at 224²; bytes: published, r34; 3.67 GMAC
    _model("fairface", "demographics", "flexible", 625, 0.120, 0.004, 2.0, 0.2),
    # depthwise at 112²; bytes: estimate; CPU: measured
    _model("faceapi_age_gender", "demographics", "flexible", 150, 0.003, 0.002, 1.2),
    # MesoInception at 256²; bytes: estimate; CPU: measured
    _model("mesoinception_df", "deepfake", "flexible", 160, 0.010, 0.003, 1.2),
    # not in our catalogue: the DFDC winner's EfficientNet-B7 at 380², whose cost the overview's 2 and 5 s presume;
    # bytes: estimate; 37 GMAC at 600² published, here 14.8, depthwise
    _model("efficientnet_b7_dfdc", "deepfake", "flexible", 1900, 1.000, 0.030, 6.0, 0.3),
)
"""One critical and two high models, as the overview's zones have them; the rest is flexible."""

GIBIBYTE: Final = 1 << 30
CARDS: Final = {"6GiB": 6 * GIBIBYTE, "4GiB": 4 * GIBIBYTE, "3GiB": 3 * GIBIBYTE}
"""Bytes of the cards of the contest."""


def budget_of(total: int) -> int:
    """What a card of `total` bytes leaves for models when one process uses it."""
    return total - CONTEXT - HEADROOM
