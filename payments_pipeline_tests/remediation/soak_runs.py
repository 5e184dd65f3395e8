"""Rounds about whole runs: several at the same moment, each within the caps of a run, all within those of the day."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from payments_pipeline.remediation import oversight
from payments_pipeline.remediation.rounds import apply_due, repair
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.soak import Soak
from payments_pipeline_tests.remediation.soak_holds import proposed

POLICY = (
    "UPDATE recon.policies SET mode = :mode, approvals = :approvals, max_per_run = :run, max_per_day = :day"
    " WHERE action = 'capture_payment' AND report = ''"
)
LIMIT = (
    "INSERT INTO recon.policy_limits (action, currency, max_amount_per_run) VALUES ('capture_payment', 'USD', :most)"
    " ON CONFLICT (action, report, currency) DO UPDATE SET max_amount_per_run = :most, max_amount_per_day = NULL"
)
TODAY = (
    "SELECT count(*) FROM recon.actions WHERE kind = 'capture_payment' AND intended_at IS NOT NULL"
    " AND state IN ('applying', 'verified', 'failed')"
)
BEGUN = (
    "SELECT count(*) AS actions, coalesce(sum(a.amount), 0) AS amount FROM recon.audit_log AS l"
    " JOIN recon.actions AS a USING (action_id) WHERE l.event = 'action.applying' AND l.actor = :actor"
)
OPEN = "SELECT count(*) FROM recon.actions WHERE state = 'applying'"
EACH, HOLDS, ENOUGH = 80, 5, 9


class RunCapRound:
    """Five holds of 80 to capture, by people's word or by policy's; two or three runs at the same moment."""

    def __init__(self, soak: Soak, choice: random.Random) -> None:
        self.soak, self.teller, self.choice = soak, soak.teller, choice
        self.actions: list[int] = []  # runs take them up, no single workers
        self.by_itself = choice.random() < 0.5
        self.cap = choice.choice(("count", "amount", "day"))
        self.intents = [self.teller.hold(started=True) for _ in range(HOLDS)]
        self.most = 2 if self.cap != "day" else HOLDS
        self.day = self.teller.town.run(TODAY) + 3
        self._policy(
            run=self.most if self.cap == "count" else 500, day=self.day if self.cap == "day" else None,
            most=2 * EACH + 79 if self.cap == "amount" else None,
        )  # fmt: skip
        self.chosen = self._findings() if self.by_itself else self._approved()
        self.runs = [f"run {self.intents[0]} {number}" for number in range(choice.choice((2, 3)))]

    def others(self) -> list[Callable[[], None]]:
        return [partial(self._run, actor) for actor in self.runs]

    def held(self) -> frozenset[str]:
        return frozenset()

    def judge(self) -> None:
        for actor in self.runs:
            begun = self.teller.town.row(BEGUN, actor=actor)
            assert begun["actions"] <= self.most, (self.cap, begun)
            assert begun["amount"] <= self.most * EACH, (self.cap, begun)
            self.soak.seen["begun in runs"] += begun["actions"]
        assert self.cap != "day" or self.teller.town.run(TODAY) <= self.day
        moved = [self.teller.moves(intent) for intent in self.intents]
        assert all(move in ([], [("capture", 100 * EACH)]) for move in moved), moved
        self._policy(run=500, day=None, most=None)
        captured = [[("capture", 100 * EACH)]] * HOLDS
        for _ in range(ENOUGH):
            self.teller.lease_over()
            self._run("run at last")
            ended = [self.teller.moves(intent) for intent in self.intents]
            if ended == captured and self.teller.town.run(OPEN) == 0:
                break
        assert ended == captured, (self.cap, ended)
        assert self.teller.town.run(OPEN) == 0, "stuck"
        self.teller.town.run(POLICY, mode="propose", approvals=0, run=500, day=None)

    def _policy(self, *, run: int, day: int | None, most: int | None) -> None:
        mode, approvals = ("auto", 0) if self.by_itself else ("propose", 1)
        self.teller.town.run(POLICY, mode=mode, approvals=approvals, run=run, day=day)
        self.teller.town.run(LIMIT, most=most)

    def _findings(self) -> list[int]:
        return [self.teller.finding(intent, "capture_payment") for intent in self.intents]

    def _approved(self) -> list[int]:
        actions = [proposed(self.teller, "capture_payment", {"provider_ref": intent}, "ann") for intent in self.intents]
        for action in actions:
            oversight.approve(self.teller.engine, action, actor="bob", as_of=AS_OF)
        return actions

    def _run(self, actor: str) -> None:
        whole: dict[str, Any] = {"as_of": AS_OF, "actor": actor, "desk": self.teller.desk}
        if self.by_itself:
            repair(self.teller.engine, dry_run=False, findings=self.chosen, **whole)
            left = self.teller.town.run(
                "SELECT array_agg(action_id) FROM recon.actions WHERE finding_id = any(:chosen) AND state = 'applying'",
                chosen=self.chosen,
            )
            apply_due(self.teller.engine, actions=left or [], **whole)
        else:
            apply_due(self.teller.engine, actions=self.chosen, **whole)
