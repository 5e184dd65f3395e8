"""The repair judges one user as the reports judge all: what they call repairable is due, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.db.sql import read_sql
from payments_pipeline.remediation.activate_subscription import TOLERANCE, ActivateSubscription
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.town import PLANS, Town

APP_STATUSES = ["completed", "completed", "pending", "refunded", "failed", "strange"]
PROVIDER_STATES = ["paid", "paid", "paid", "pending", "refunded", "authorized", "partially_paid", "unknown"]
KIND = ActivateSubscription()


def plant(town: Town, random: Random) -> int:
    """One user with a random past: payments, the provider's word, events."""
    pick = random.choice
    user_id = town.user(
        pick(["inactive", "inactive", "active", "trialing", "canceled", "banned"]),
        pick(["free", "pro", "PRO", "basic"]),
        subscription_updated_at=pick([None, None, AS_OF - timedelta(days=3)]),
        subscription_renewal_date=pick([None, None, AS_OF + timedelta(days=9), AS_OF + timedelta(days=500)]),
        is_internal=random.random() < 0.05,
        access_override_until=pick([None] * 6 + [AS_OF + timedelta(days=1), AS_OF - timedelta(days=1)]),
    )
    for number in range(pick([0, 1, 1, 1, 2, 3])):
        ref = f"pi_{user_id}_{number}" if random.random() < 0.9 else "pi_shared"
        known = town.run("SELECT count(*) FROM recon.provider_transactions WHERE provider_ref = :ref", ref=ref)
        town.payment(
            user_id,
            plan=pick(["month", "month", "year", "day", "lifetime", "quarter", None]),
            status=pick(APP_STATUSES),
            provider_state=None if known or random.random() < 0.2 else pick(PROVIDER_STATES),
            paid_at=AS_OF - timedelta(days=pick([0, 1, 5, 31, 32, 100]), seconds=number + 1),
            ref=ref,
        )
        town.run(
            "UPDATE recon.provider_transactions SET amount_refunded = :refunded, link_method = :link, amount = :amount,"
            " disputed = :disputed, vanished_at = :vanished WHERE provider_ref = :ref",
            refunded=pick([0, 0, 0, 5, 19.99]),
            link=pick(["reference"] * 5 + ["ambiguous", "foreign", "none"]),
            amount=pick([19.99] * 5 + [18]),
            disputed=random.random() < 0.1,
            vanished=pick([None] * 9 + [AS_OF]),
            ref=ref,
        )
    for _ in range(pick([0, 0, 0, 1, 2])):
        event = pick(
            [
                ("canceled", "canceled", "free"),
                ("activated", "active", "pro"),
                ("expired", "expired", "free"),
                ("note", None, None),
            ]
        )
        town.run(
            "INSERT INTO public.subscription_events (user_id, event_type, new_status, new_tier, created_at)"
            " VALUES (:user_id, :kind, :status, :tier, :at)",
            user_id=user_id,
            kind=event[0],
            status=event[1],
            tier=event[2],
            at=AS_OF - timedelta(days=pick([0, 2, 40])),
        )
    return user_id


def reported(engine: Engine) -> dict[int, dict[str, Any]]:
    parameters = {"as_of": AS_OF, "grace_seconds": 0, "planless_days": 31, "tolerance": TOLERANCE}
    found: dict[int, dict[str, Any]] = {}
    with engine.connect() as connection:
        for report in ("activation_gaps", "wrong_tier"):
            rows = connection.execute(text(read_sql(f"reports/{report}.sql")), parameters).mappings().all()
            assert not found.keys() & {row["user_id"] for row in rows}, "an anomaly is said once"
            found |= {row["user_id"]: dict(row) for row in rows}
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_what_the_report_calls_repairable_is_due_and_nothing_else(engine: Engine, town: Town, seed: int) -> None:
    random = Random(seed)
    town.run("UPDATE public.plans SET tier = 'basic' WHERE id = :id", id=PLANS["day"])
    town.run("DELETE FROM public.plans WHERE id = :id", id=PLANS["quarter"])
    users = [plant(town, random) for _ in range(300)]
    report = reported(engine)
    due: dict[int, str] = {}
    with engine.connect() as connection:
        for user_id in users:
            facts = KIND.read(connection, {"user_id": str(user_id)}, as_of=AS_OF)
            if KIND.check(facts, as_of=AS_OF) is None:
                due[user_id] = facts["payment"]["payment_id"]
    expected = {user_id: str(row["payment_id"]) for user_id, row in report.items() if row["repairable"]}
    assert due == expected
    assert len(expected) >= 8, "a test without gaps shows nothing"
    assert len(expected) < len(report), "nor one without gaps that a person must judge"
