"""The soak: a few rounds always, as many as SOAK_ROUNDS says in `make soak`."""

from __future__ import annotations

import os
import random
import sys

from payments_pipeline_tests.remediation.soak import Soak
from payments_pipeline_tests.remediation.soak_access import ActivationRound, ExpiryRound, RevocationRound, SyncRound
from payments_pipeline_tests.remediation.soak_holds import CapRound, HoldRound
from payments_pipeline_tests.remediation.soak_others import CryptoRound, PayoutRound
from payments_pipeline_tests.remediation.soak_runs import RunCapRound
from payments_pipeline_tests.remediation.teller import Teller

FEW = 12
TELL_EVERY = 100
KINDS = (
    HoldRound, HoldRound, HoldRound, PayoutRound, CryptoRound, CapRound, ActivationRound, ActivationRound,
    RevocationRound, ExpiryRound, SyncRound, RunCapRound,
)  # fmt: skip


def test_money_moves_once_whatever_happens_at_the_same_moment(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0, max_per_day = NULL")
    teller.town.run("DELETE FROM recon.policy_limits")
    first, rounds = int(os.environ.get("SOAK_SEED", "1")), int(os.environ.get("SOAK_ROUNDS", FEW))
    with Soak(teller, processes=0.0 if rounds <= FEW else 0.3) as soak:
        for seed in range(first, first + rounds):
            choice = random.Random(seed)
            soak.play(seed, choice, KINDS[seed % len(KINDS)](soak, choice))
            if (seed - first + 1) % TELL_EVERY == 0:
                sys.stderr.write(f"{seed - first + 1} rounds: {dict(sorted(soak.seen.items()))}\n")
        soak.books_are_whole()
    assert soak.seen["money moved"] > 0, soak.seen
