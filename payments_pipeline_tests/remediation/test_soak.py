"""The soak: a few rounds always, as many as SOAK_ROUNDS says in `make soak`."""

from __future__ import annotations

import os

from payments_pipeline_tests.remediation.soak import Soak
from payments_pipeline_tests.remediation.teller import Teller


def test_money_moves_once_whatever_happens_at_the_same_moment(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0, max_per_day = NULL")
    teller.town.run("DELETE FROM recon.policy_limits")
    soak = Soak(teller)
    first = int(os.environ.get("SOAK_SEED", "1"))
    for seed in range(first, first + int(os.environ.get("SOAK_ROUNDS", "12"))):
        soak.round(seed)
    soak.audit_is_whole()
    assert soak.seen["money moved"] > 0, soak.seen
