"""Who gets VRAM. This package knows bytes, zones and time; it imports no inference library."""

from vram_policy.lease import Arbiter, CpuArbiter, Lease, Loadable, Session

__all__ = ["Arbiter", "CpuArbiter", "Lease", "Loadable", "Session"]
