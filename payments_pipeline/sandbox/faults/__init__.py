"""Everything that can go wrong in the town, one small module a group; importing this package registers them all.

Belongs here: finding the modules. Does not belong here: any fault; a new module beside this one is found by itself.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from payments_pipeline.sandbox.faults.registry import FAULTS, Fault, Sighting

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")

__all__ = ["FAULTS", "Fault", "Sighting"]
