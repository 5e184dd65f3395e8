"""Everything that can go wrong in the town, one small module a group; importing this package registers them all."""

from payments_pipeline.sandbox.faults import (
    crypto,
    crypto_lookalikes,
    entitlement,
    entitlement_lookalikes,
    holds,
    state,
    state_lookalikes,
)
from payments_pipeline.sandbox.faults.registry import FAULTS, Fault, Sighting

__all__ = [
    "FAULTS",
    "Fault",
    "Sighting",
    "crypto",
    "crypto_lookalikes",
    "entitlement",
    "entitlement_lookalikes",
    "holds",
    "state",
    "state_lookalikes",
]
