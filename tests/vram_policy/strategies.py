"""What the machine draws."""

from __future__ import annotations

from hypothesis import strategies as st

from vram_policy.plan import Rules
from vram_policy.zones import Stand

zones = st.sampled_from(["critical", *["high"] * 4, *["flexible"] * 4])
which = st.integers(0, 9)
sizes = st.integers(10, 400)
rules = st.builds(
    Rules,
    policy=st.sampled_from(["benefit", "lru"]),
    horizon=st.just(120.0),
    margin=st.sampled_from([0.5, 1.1]),
    residency=st.sampled_from([0.0, 0.0, 5.0, 30.0]),
)
pins = st.integers(0, 1 << 16).map(lambda number: number % 7 == 3)
stands = st.dictionaries(st.sampled_from([f"m{n}" for n in range(10)]), st.builds(Stand, zones, pins), max_size=3)
models = st.lists(st.tuples(zones, sizes, pins, st.none() | sizes), min_size=8, max_size=10)
"""Zone, bytes, pin, and for an estimate how many bytes it is above the truth."""

efforts = st.sampled_from([0, 1, 2, 3, 5, 30])
"""Steps of the loader's jobs."""
pauses = st.sampled_from([0.0, 0.001, 0.01, 0.1, 1.0, 5.0, 31.0, 300.0])

LAGS = (0.0, 0.05, 1.0, 4.0)
