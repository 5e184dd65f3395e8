"""Definitions whose runs last: for the test of the launcher, which starts, cancels and kills them."""

import time

import dagster as dg


class Naps(dg.Config):
    """How long to sleep."""

    seconds: float


@dg.op
def nap(config: Naps) -> None:
    """Sleep."""
    time.sleep(config.seconds)


@dg.job(executor_def=dg.in_process_executor)
def naps() -> None:
    """Sleeps."""
    nap()


defs = dg.Definitions(jobs=[naps])
