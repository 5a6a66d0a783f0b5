"""Who gets VRAM. This package knows bytes, zones and time; it imports no inference library."""

from vram_policy.footprint import Costs, Footprint, Profile
from vram_policy.lease import Arbiter, CpuArbiter, Lease, Loadable, Session
from vram_policy.zones import Zone

__all__ = [
    "Arbiter",
    "Costs",
    "CpuArbiter",
    "Footprint",
    "Lease",
    "Loadable",
    "Profile",
    "Session",
    "Zone",
]
