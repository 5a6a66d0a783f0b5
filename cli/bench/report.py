"""What a benchmark prints, and the sections of `docs/benchmarks.md` that commands write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cli.bench.machine import Machine
from cli.bench.measurement import Ratio, Series


@dataclass(frozen=True, slots=True)
class Report:
    """One run: `name` is the command's, `notes` say what was measured and how."""

    name: str
    title: str
    notes: str
    machine: Machine
    series: Mapping[str, Series]
    ratios: Sequence[Ratio]

    @property
    def failed(self) -> bool:
        """Whether a target was missed."""
        return any(ratio.verdict == "FAIL" for ratio in self.ratios)

    def markdown(self) -> str:
        """Two tables under a heading."""
        columns = ("contestant", "faces", "p50 ms", "p95 ms", "p50 of each block, ms", "requests/s")
        times = table(columns, [_row(name, series) for name, series in self.series.items()])
        rows = [
            (
                ratio.name,
                f"{ratio.value:.2f}",
                ratio.wanted,
                ratio.verdict,
            )
            for ratio in self.ratios
        ]
        comparisons = table(("ratio, median over blocks", "value", "target", "verdict"), rows)
        return f"## {self.title}\n\n{self.notes}\n\n{self.machine}.\n\n{times}\n\n{comparisons}"

    def data(self) -> dict[str, Any]:
        """For JSON: every single time in it, in seconds."""
        return {
            "machine": asdict(self.machine),
            "series": {name: asdict(series)["blocks"] for name, series in self.series.items()},
            "ratios": [{**asdict(ratio), "verdict": ratio.verdict} for ratio in self.ratios],
        }


def _row(name: str, series: Series) -> tuple[str, ...]:
    return (
        name,
        ", ".join(map(str, series.faces)),
        f"{series.percentile(50):.1f}",
        f"{series.percentile(95):.1f}",
        " ".join(f"{value:.1f}" for value in series.medians),
        f"{series.rate:.1f}",
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column is words, the others are figures."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rule, *rows))


def write_section(file: Path, name: str, text: str) -> None:
    """Replace what stands between the markers of `name`, or add it at the end of the file."""
    begin, end = f"<!-- facesocial bench {name} -->", f"<!-- end of facesocial bench {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    before = file.read_text("utf-8") if file.exists() else "# Benchmarks\n"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    after, found = pattern.subn(lambda _: section, before, count=1)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(after if found else f"{before.rstrip()}\n\n{section}\n", "utf-8")
