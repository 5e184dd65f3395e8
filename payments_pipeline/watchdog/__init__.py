"""The watch over ourselves: what must happen by itself and may stop without a word (promise 8, silence is an alarm).

Belongs here: looking at Dagster's storage, our tables and the clocks, and saying what is amiss. Does not belong here:
showing it (assets/health.py, the `health` command), what a report finds.
"""

from payments_pipeline.watchdog.rounds import Look, keep, looks, run_ended_badly
from payments_pipeline.watchdog.sight import Sight

__all__ = ["Look", "Sight", "keep", "looks", "run_ended_badly"]
