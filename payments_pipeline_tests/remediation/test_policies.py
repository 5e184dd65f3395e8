"""Who may change what happens by itself: tightening holds at once, loosening takes two people, SQL is seen."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from payments_pipeline.errors import PermanentError, PreconditionError
from payments_pipeline.remediation import audit
from payments_pipeline.remediation.kinds import Money
from payments_pipeline.remediation.policy import policies
from payments_pipeline.remediation.policy_change import (
    PolicyChange,
    change_policy,
    confirm_policy,
    record_policy,
    refuse_policy,
)
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.town import Town

USD: dict[str, Any] = {"limits": {"USD": {"max_amount_per_day": Decimal(90000)}}}


def change(engine: Engine, kind: str = "capture_payment", actor: str = "kim", report: str = "", limits: Any = None,
           **changes: Any) -> PolicyChange:  # fmt: skip
    return change_policy(engine, kind, actor=actor, as_of=AS_OF, report=report, changes=changes, limits=limits)


def in_force(town: Town, kind: str = "capture_payment", report: str = "") -> dict[str, Any]:
    return town.row("SELECT * FROM recon.policies WHERE action = :kind AND report = :report", kind=kind, report=report)


def trouble(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return audit.verify(connection).trouble


def test_what_loosens_waits_for_a_second_person_and_is_told_in_words(engine: Engine, town: Town) -> None:
    loosening: list[tuple[dict[str, Any], str]] = [
        ({"max_per_run": 60}, "max_per_run 50 -> 60"),
        ({"max_per_day": 201}, "max_per_day 200 -> 201"),
        ({"mode": "auto"}, "mode propose -> auto"),
        ({"expires_after": timedelta(days=8)}, "expires_after 7 days"),
        (USD, "USD a day 25000 -> 90000"),
        ({"report": "stuck_authorizations", "max_per_run": 1}, "caps of its own for stuck_authorizations"),
    ]
    for changes, told in loosening:
        became = change(engine, **changes)
        assert (became.request_id is not None, told in became.loosens) == (True, True), became
    assert town.run("SELECT count(*) FROM recon.policy_versions WHERE NOT is_shipped") == 0, "nothing was changed"
    assert town.run("SELECT count(*) FROM recon.audit_log WHERE event = 'policy.asked'") == len(loosening)
    lowered = change(engine, "revoke_access", approvals=0)
    assert lowered.loosens == "approvals 1 -> 0"


def test_what_tightens_holds_at_once_and_so_does_what_nobody_must_approve(engine: Engine, town: Town) -> None:
    for changes in ({"approvals": 2}, {"max_per_run": 5}, {"limits": {"USD": {"second_approval_above": Decimal(10)}}},
                    {"limits": {"JPY": {"max_amount_per_day": Decimal(1)}}}, {"mode": "off"}):  # fmt: skip
        assert change(engine, **changes) == PolicyChange(None), changes
    assert change(engine, "activate_subscription", max_per_run=900) == PolicyChange(None)
    policy = in_force(town)
    assert (policy["mode"], policy["approvals"], policy["max_per_run"]) == ("off", 2, 5)
    assert in_force(town, "activate_subscription")["max_per_run"] == 900
    assert trouble(engine) is None


def test_what_is_tighter_for_the_kind_and_looser_for_a_report_takes_two_people(engine: Engine, town: Town) -> None:
    """A report with a limit on euros asks two people for any dollar, until the kind's limit on dollars holds there."""
    kind, report = "release_authorization", "no_show_holds"
    high: dict[str, Any] = {"limits": {"USD": {"second_approval_above": Decimal(1000000)}}}
    town.run("DELETE FROM recon.policy_limits WHERE action = :kind", kind=kind)
    change(engine, kind, approvals=1, max_per_run=20)
    assert in_force(town, kind, report), "a policy of its own is shipped"
    early = change(engine, kind, max_per_run=60, **high)
    assert "no_show_holds" not in early.loosens
    euros = {"EUR": {"second_approval_above": Decimal(10)}}
    assert change(engine, kind, actor="ann", report=report, limits=euros) == PolicyChange(None)
    with pytest.raises(PreconditionError, match="has changed since"):
        confirm_policy(engine, early.request_id or 0, actor="ann", as_of=AS_OF)
    became = change(engine, kind, actor="bob", **high)
    assert "no_show_holds: USD 2 approvals above 0 -> 1000000" in became.loosens
    assert became.request_id is not None
    confirm_policy(engine, became.request_id, actor="ann", as_of=AS_OF)
    with engine.connect() as connection:
        assert policies(connection)[kind, report].needed(Money(Decimal(900), "USD")) == 0


def test_a_change_holds_once_somebody_else_has_confirmed_it(engine: Engine, town: Town) -> None:
    request = change(engine, max_per_run=60, expires_after=timedelta(days=9), **USD).request_id
    assert request is not None
    with pytest.raises(PreconditionError, match="KIM asked for change"):
        confirm_policy(engine, request, actor=" KIM\u200b", as_of=AS_OF)
    with pytest.raises(DBAPIError, match="second_person"):
        town.run("UPDATE recon.policy_requests SET state = 'confirmed', decided_by = 'Kim ', decided_at = now()")
    confirm_policy(engine, request, actor="ann", as_of=AS_OF)
    policy = in_force(town)
    assert (policy["max_per_run"], policy["expires_after"], policy["changed_by"]) == (60, timedelta(days=9), "ann")
    day = "SELECT max_amount_per_day FROM recon.policy_limits WHERE action = 'capture_payment' AND currency = 'USD'"
    assert town.run(day) == 90000
    told = town.row("SELECT actor, details ->> 'asked_by' AS asked FROM recon.audit_log WHERE event = 'policy.changed'")
    assert (told, trouble(engine)) == ({"actor": "ann", "asked": "kim"}, None)
    with pytest.raises(PreconditionError, match="is confirmed"):
        confirm_policy(engine, request, actor="bob", as_of=AS_OF)


def test_a_change_that_is_refused_old_or_about_another_policy_never_holds(engine: Engine, town: Town) -> None:
    refused, lapsed, overtaken = (change(engine, max_per_run=most).request_id or 0 for most in (60, 70, 80))
    refuse_policy(engine, refused, actor="kim", as_of=AS_OF, reason="a slip")
    with pytest.raises(PreconditionError, match="is refused"):
        confirm_policy(engine, refused, actor="ann", as_of=AS_OF)
    with pytest.raises(PreconditionError, match="is lapsed"):
        confirm_policy(engine, lapsed, actor="ann", as_of=AS_OF + timedelta(days=8))
    change(engine, max_per_day=10)
    with pytest.raises(PreconditionError, match="has changed since"):
        confirm_policy(engine, overtaken, actor="ann", as_of=AS_OF)
    assert (in_force(town)["max_per_run"], trouble(engine)) == (50, None)
    with pytest.raises(PermanentError, match="no change 99"):
        confirm_policy(engine, 99, actor="ann", as_of=AS_OF)


def test_policies_changed_by_sql_break_the_trail_until_somebody_answers_for_it(engine: Engine, town: Town) -> None:
    change(engine, max_per_run=7)
    assert trouble(engine) is None
    town.run("UPDATE recon.policies SET max_per_run = 9 WHERE action = 'capture_payment'")
    town.run("UPDATE recon.policy_limits SET max_amount_per_day = NULL WHERE currency = 'EUR'")
    found = str(trouble(engine))
    assert "BESIDE THE COMMANDS" in found
    assert "update of policies by" in found
    assert "update of policy_limits by" in found
    assert record_policy(engine, actor="ann", as_of=AS_OF, reason="an emergency") == 4
    assert (trouble(engine), record_policy(engine, actor="ann", as_of=AS_OF, reason="again")) == (None, 0)
    with pytest.raises(DBAPIError):
        town.run("TRUNCATE recon.policies CASCADE")


def test_names_of_the_project_are_nobodys(engine: Engine, town: Town) -> None:
    for name in ("policy", "System", "de\u00adfault", "dagster"):
        with pytest.raises(PermanentError, match="calls itself"):
            change(engine, actor=name, max_per_run=1)
