"""Two pictures of the contest, in SVG: shares as a heat table, and who is on the card over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from vram_policy.simulation.contest import Standing
from vram_policy.simulation.trace import Trace

WIDTH: Final = 62
HEIGHT: Final = 22
LEFT: Final = 170

Stays = Sequence[tuple[int, float, float]]


def draw_shares(standings: Sequence[Standing], file: Path) -> None:
    """A row for each policy, a column for each trace, a block for each card; red is 0 or less, green 1."""
    traces = list(dict.fromkeys(one.trace for one in standings))
    policies = list(dict.fromkeys(one.policy for one in standings))
    parts: list[str] = []
    top = 0
    for card in dict.fromkeys(one.card for one in standings):
        parts.append(_text(4, top + 16, card, bold=True))
        parts += [_text(LEFT + WIDTH * column + 4, top + 16, trace) for column, trace in enumerate(traces)]
        parts += [_text(4, top + HEIGHT * (row + 1) + 16, policy) for row, policy in enumerate(policies)]
        for one in standings:
            if one.card == card:
                left = LEFT + WIDTH * traces.index(one.trace)
                line = top + HEIGHT * (policies.index(one.policy) + 1)
                parts.append(_box(left, line, WIDTH - 1, HEIGHT - 1, _colour(one.share)))
                parts.append(_text(left + 14, line + 16, f"{one.share:.2f}"))
        top += HEIGHT * (len(policies) + 2)
    _write(file, LEFT + WIDTH * len(traces), top - HEIGHT, parts)


def draw_residency(trace: Trace, stays: Mapping[str, Stays], file: Path, seconds: float = 300.0) -> None:
    """For each policy, a line for each model that is asked for: a bar while it is ready on the card."""
    models = [index for index in range(len(trace.models)) if len(trace.of(index))]
    parts: list[str] = []
    width, top = 560, 0
    for policy, own in stays.items():
        loads = sum(ready > 0 and ready < seconds for _, ready, _ in own)
        title = f"{policy}: {trace.name}, {seconds:.0f} s, {loads} loads"
        parts.append(_text(4, top + 16, title, bold=True))
        for row, index in enumerate(models):
            line = top + HEIGHT * (row + 1)
            parts.append(_text(4, line + 16, trace.models[index].tag))
            parts.append(_box(LEFT, line, width, HEIGHT - 3, "#eee"))
            for model, ready, left in own:
                if model == index and ready < seconds:
                    end = min(left, seconds)
                    begin = LEFT + width * ready / seconds
                    parts.append(_box(begin, line, max(0.5, width * (end - ready) / seconds), HEIGHT - 3, "#4a7"))
        top += HEIGHT * (len(models) + 2)
    _write(file, LEFT + width, top - HEIGHT, parts)


def _colour(share: float) -> str:
    """From red over yellow to green."""
    return f"hsl({120 * min(1.0, max(0.0, share)) ** 2:.0f},60%,72%)"


def _box(left: float, top: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _text(left: float, top: float, text: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{left:.0f}" y="{top:.0f}"{weight}>{escape(text)}</text>'


def _write(file: Path, width: float, height: float, parts: Sequence[str]) -> None:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
    ground = f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>'
    body = "\n".join((ground, *parts))
    file.write_text(f'{head} font-family="sans-serif" font-size="12">\n{body}\n</svg>\n', "utf-8")
