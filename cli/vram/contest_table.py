"""The contest in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Final

from cli.bench.report import table
from vram_policy.footprint import MEBIBYTE
from vram_policy.simulation.contest import BARS, WORST, Standing
from vram_policy.simulation.policies import OURS
from vram_policy.simulation.replay import Outcome

NOTES: Final = """\
`facesocial vram simulate`: {seeds} seeds of each trace, two hours of virtual time, eleven models of 150 to 1900 MiB
that total 1.3, 2.1 and 3 × the budgets (footprints and times with their sources: `vram_policy/simulation/catalogue.py`;
traces: `generators.py`). *Net benefit* is CPU-seconds saved by answers on the card less those spent on loads; *the
best possible* is what a schedule made in full knowledge of the trace saves, found exactly (`optimum.py`): it knows no
zones, no minimum residency and waits for no unload. The bound of design §3, by a price for memory, is {above:.1%} above
it in the mean; what ours reaches of that is in the table of bars. Policies were changed on seeds from 1000 on only.
Nobody was ever over the budget: the replay would have stopped.

![share of the best possible](vram-shares.svg)

![who is on the card](vram-thrash.svg)"""


def _average(measure: Callable[[Outcome], float]) -> Callable[[Sequence[Standing]], float]:
    return lambda standings: fmean(one.mean(measure) for one in standings)


def _form(measure: Callable[[Outcome], float], form: str) -> Callable[[Sequence[Standing]], str]:
    return lambda standings: form.format(_average(measure)(standings))


MEASURES: Final[Mapping[str, Callable[[Sequence[Standing]], str]]] = {
    "on the card": _form(lambda one: one.on_card / max(1, one.requests), "{:.0%}"),
    "within latency": _form(lambda one: one.within / max(1, one.requests), "{:.1%}"),
    "mean ms": _form(lambda one: 1000 * one.mean, "{:.0f}"),
    "p95 ms": _form(lambda one: 1000 * one.p95, "{:.0f}"),
    "loads": _form(lambda one: one.loads, "{:.0f}"),
    "GiB moved": _form(lambda one: one.moved / (1024 * MEBIBYTE), "{:.0f}"),
    "higher zone evicted": _form(lambda one: one.upward, "{:.0f}"),
    "young evicted": _form(lambda one: one.young, "{:.0f}"),
}


def cell(standing: Standing) -> str:
    """Mean and worst seed."""
    return f"{standing.share:.2f} / {min(standing.shares):.2f}"


def markdown(standings: Sequence[Standing], seeds: int) -> str:
    """A section: shares and measures for each card, the bars, and what was lost to others."""
    above = fmean(
        priced / most - 1 for one in standings for most, priced in zip(one.bounds, one.prices, strict=True) if most > 0
    )
    parts = ["## The VRAM policy against others", NOTES.format(seeds=seeds, above=above)]
    for card in dict.fromkeys(one.card for one in standings):
        own = [one for one in standings if one.card == card]
        parts += [f"**{card}**, net benefit as a share of the best possible, mean / worst seed:", _shares(own)]
        parts += [f"**{card}**, means over all traces:", _measures(own)]
    parts += ["**Bars**, ours:", _bars(standings), _thrash(standings), _lost(standings)]
    return "\n\n".join(part for part in parts if part)


def _policies(standings: Sequence[Standing]) -> list[str]:
    return list(dict.fromkeys(one.policy for one in standings))


def _shares(standings: Sequence[Standing]) -> str:
    traces = list(dict.fromkeys(one.trace for one in standings))
    rows = []
    for policy in _policies(standings):
        own = [one for one in standings if one.policy == policy]
        rows.append((_bold(policy), *map(cell, own), f"{fmean(one.share for one in own):.2f}"))
    return table(("policy", *traces, "all"), rows)


def _measures(standings: Sequence[Standing]) -> str:
    rows = []
    for policy in _policies(standings):
        own = [one for one in standings if one.policy == policy]
        rows.append((_bold(policy), *(write(own) for write in MEASURES.values())))
    return table(("policy", *MEASURES), rows)


def _bars(standings: Sequence[Standing]) -> str:
    rows = []
    for one in standings:
        bar = BARS.get(one.card, {}).get(one.trace)
        if one.policy == OURS and bar is not None:
            worst = min(one.shares)
            verdict = "pass" if one.share >= bar and worst >= WORST[one.card] else "FAIL"
            figures = (f"{one.share:.3f}", f"≥ {bar:.2f}", f"{worst:.3f}", f"≥ {WORST[one.card]:.2f}")
            rows.append((f"{one.card}, {one.trace}", *figures, f"{one.priced:.3f}", verdict))
    columns = ("ours", "mean", "wanted", "worst seed", "wanted", "mean share of the bound by a price", "verdict")
    return table(columns, rows) if rows else ""


def _thrash(standings: Sequence[Standing]) -> str:
    """Ours against LRU where LRU is at its worst."""
    lines = []
    for card in dict.fromkeys(one.card for one in standings):
        both = {one.policy: one for one in standings if one.card == card and one.trace == "thrash"}
        if {OURS, "LRU"} <= set(both):
            ours, lru = both[OURS], both["LRU"]
            saved = ours.mean(lambda one: one.saved) / lru.mean(lambda one: one.saved)
            loads = ours.mean(lambda one: one.loads) / lru.mean(lambda one: one.loads)
            lines.append(f"{card}: {saved:.2f} × what LRU saves (wanted 1.3), {loads:.2%} of its loads (wanted 10 %)")
    return f"Thrash, before loads are paid for: {'; '.join(lines)}." if lines else ""


def _lost(standings: Sequence[Standing]) -> str:
    """Traces on which another policy did better than ours."""
    lost = []
    for card, trace in dict.fromkeys((one.card, one.trace) for one in standings):
        shares = {one.policy: one.share for one in standings if (one.card, one.trace) == (card, trace)}
        ours = shares.pop(OURS, 1.0)
        better = [f"{policy} {share:.3f}" for policy, share in shares.items() if share > ours]
        if better:
            lost.append(f"- {card}, {trace}: ours {ours:.3f}, {', '.join(better)}")
    return "**Lost to others:**\n\n" + "\n".join(lost) if lost else ""


def _bold(policy: str) -> str:
    return f"**{policy}**" if policy == OURS else policy
