"""`facesocial bench pipeline`, `placements`, `edge` and `decode`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.bench.machine import Machine
from cli.bench.report import Report, write_section
from cli.demo import sample

Requests = Annotated[int, typer.Option(min=1, help="timed requests of each contestant, in all")]
Blocks = Annotated[int, typer.Option(min=1, help="turns they are taken in")]
AsJson = Annotated[bool, typer.Option("--json", help="every single time, on stdout")]
Write = Annotated[Path | None, typer.Option(help="Markdown file whose section is replaced")]

PIPELINE_NOTES = """\
scrfd_500m and mobilefacenet_foamliu on the six-face picture of the insightface package, from JPEG to embeddings.
`limit` is a straight line of OpenCV, NumPy and ONNX Runtime with the same session options; `pipeline` is
`services.pipeline` in process; `http n` is `POST /v1/embed`, multipart, n clients on keep-alive connections, the
requests built once and sent over raw sockets by another process; FaceAnalysis runs on the same two files, canvas
640×640. Each contestant has a process of its own, warmed up, and they take turns in blocks."""

PLACEMENTS_NOTES = """\
`POST /v1/embed` with the six-face picture, scrfd_500m and mobilefacenet_foamliu, by one and by eight clients, as in the
pipeline benchmark. `embedded`: one process; `colocated`: edge and pipeline in two; `isolated`: edge, pipeline, and a
process for each capability. All three are served at once and take turns in blocks; who waits costs nothing."""

EDGE_NOTES = """\
`POST /v1/embed` with the six-face picture as the body, scrfd_500m and mobilefacenet_foamliu, one client. `bare` is the
route as BentoML generates it, on the same pipeline, without our edge (`cli/bench/bare.py`), its access log off; `edge`
is the service: heads and bodies checked, limits, rates, admission, deadline, problems, headers, one log line; the
result cache is off. Both are served at once and take turns in blocks. Slow senders: 200 connections, a byte of a head
each second, dialled again when they are closed."""

DECODE_NOTES = """\
A JPEG of 4000×3000 pixels (the sample enlarged, with noise, quality 90): decoding alone, and from bytes to embeddings
in process, the picture decoded as little as the faces need or in full."""


def pipeline(requests: Requests = 120, blocks: Blocks = 4, as_json: AsJson = False, write: Write = None) -> None:
    """Compare the service with the limit of this machine and with insightface's FaceAnalysis."""
    from cli.bench.race import race, ratios

    machine = Machine.here()
    with Console(stderr=True).status("measuring …"):
        series = race(sample(), requests, blocks)
    title = "The pipeline against its limit and FaceAnalysis"
    _publish(Report("pipeline", title, PIPELINE_NOTES, machine, series, ratios(series)), as_json, write)


def decode(requests: Requests = 40, blocks: Blocks = 4, as_json: AsJson = False, write: Write = None) -> None:
    """Measure what reduced decoding of a 12-megapixel photograph saves."""
    from cli.bench.decoding import decoding, savings

    machine = Machine.here()
    with Console(stderr=True).status("measuring …"):
        series = decoding(sample(), requests, blocks)
    title = "Decoding a 12-megapixel photograph"
    _publish(Report("decode", title, DECODE_NOTES, machine, series, savings(series)), as_json, write)


def placements(requests: Requests = 120, blocks: Blocks = 4, as_json: AsJson = False, write: Write = None) -> None:
    """Measure what processes of their own cost the pipeline and the models."""
    from cli.bench.placements import compare, ratios

    machine = Machine.here()
    with Console(stderr=True).status("measuring …"):
        series = compare(sample(), requests, blocks)
    title = "Placements"
    _publish(Report("placements", title, PLACEMENTS_NOTES, machine, series, ratios(series)), as_json, write)


def edge(requests: Requests = 400, blocks: Blocks = 4, as_json: AsJson = False, write: Write = None) -> None:
    """Measure what the edge adds to a request, and what slow senders do to others."""
    from cli.bench.edge import compare, ratios

    machine = Machine.here()
    with Console(stderr=True).status("measuring …"):
        series = compare(sample(), requests, blocks)
    _publish(Report("edge", "The edge", EDGE_NOTES, machine, series, ratios(series)), as_json, write)


def _publish(report: Report, as_json: bool, write: Path | None) -> None:
    typer.echo(json.dumps(report.data(), indent=2) if as_json else report.markdown())
    if write is not None:
        write_section(write, report.name, report.markdown())
        typer.echo(f"wrote the section into {write}", err=True)
