"""What people do with findings, and how long it lasts: acknowledged, snoozed, resolved with a reason, reopened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from payments_pipeline.errors import PermanentError, PreconditionError
from payments_pipeline.findings import finding_story, wake_snoozed
from payments_pipeline.remediation.audit import verify
from payments_pipeline.triage import acknowledge, reopen, resolve, snooze
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.findings.conftest import Desk
from payments_pipeline_tests.findings.test_lifecycle import changes

HOUR = timedelta(hours=1)
KIM = {"actor": "kim", "reason": "seen by finance"}


def kinds(desk: Desk) -> list[str]:
    return [row["kind"] for row in desk.outbox()]


def audit(desk: Desk) -> list[tuple[Any, ...]]:
    rows = desk.all("SELECT event, actor, reason, finding_id, before, after FROM recon.audit_log ORDER BY audit_id")
    return [(r["event"], r["actor"], r["reason"], r["before"]["status"], r["after"]["status"]) for r in rows]


def test_each_act_changes_the_finding_its_message_and_the_audit_trail_together(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    acknowledge(desk.engine, 1, **KIM, at=AS_OF)
    snooze(desk.engine, 1, **KIM, at=AS_OF, until=AS_OF + HOUR)
    resolve(desk.engine, 1, **KIM, at=AS_OF)
    assert reopen(desk.engine, 1, actor="lee", reason="it is not", at=AS_OF) == 2
    assert kinds(desk) == ["opened", "acknowledged", "snoozed", "resolved", "opened"]
    assert audit(desk) == [
        ("finding acknowledged", "kim", "seen by finance", "open", "acknowledged"),
        ("finding snoozed", "kim", "seen by finance", "acknowledged", "snoozed"),
        ("finding resolved", "kim", "seen by finance", "snoozed", "resolved"),
        ("finding reopened", "lee", "it is not", "resolved", "open"),
    ]
    with desk.engine.connect() as connection:
        assert verify(connection).broken_at is None
    first, second = desk.findings()
    assert (first["status"], first["resolved_how"], first["resolved_by"], first["resolution"]) == (
        "resolved", "person", "kim", "seen by finance",
    )  # fmt: skip
    assert (second["episode"], second["status"], second["evidence"]) == (2, "open", first["evidence"])
    told = desk.outbox()[1]["body"]
    assert (told["title"], told["handled_by"], told["handled_reason"]) == ("Things amiss", "kim", "seen by finance")


def test_nothing_happens_when_the_audit_trail_can_not_be_written(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    with desk.engine.begin() as connection:
        connection.execute(text("ALTER TABLE recon.audit_log ADD CHECK (actor <> 'kim')"))
    with pytest.raises(Exception, match="violates check"):
        resolve(desk.engine, 1, **KIM, at=AS_OF)
    assert desk.findings()[0]["status"] == "open"
    assert kinds(desk) == ["opened"]


def test_what_a_person_resolved_stays_so_while_its_row_stays_as_it_is(desk: Desk) -> None:
    desk.anomaly("a", count=3)
    desk.refresh()
    resolve(desk.engine, 1, **KIM, at=AS_OF)
    desk.gone("a")
    desk.anomaly("a", count=4, seen_at=AS_OF + HOUR)
    assert desk.refresh(AS_OF + HOUR) == changes(), "times and counts are no new facts"
    assert desk.refresh(AS_OF + 2 * HOUR) == changes()
    assert kinds(desk) == ["opened", "resolved"]


@pytest.mark.parametrize("change", [{"amount": 21}, {"currency": "EUR"}, {"severity": "CRITICAL"}])
def test_it_opens_again_when_its_row_says_something_else_or_is_graver(desk: Desk, change: dict[str, Any]) -> None:
    desk.anomaly("a")
    desk.refresh()
    resolve(desk.engine, 1, **KIM, at=AS_OF)
    desk.gone("a")
    desk.anomaly("a", **change)
    assert desk.refresh(AS_OF + HOUR / 2) == changes(reopened=1)
    assert kinds(desk) == ["opened", "resolved", "opened"], "told anew: it is not what the person looked at"


def test_it_opens_again_when_its_row_was_gone_and_is_back(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    resolve(desk.engine, 1, **KIM, at=AS_OF)
    desk.gone("a")
    desk.ledger.coverage("stripe", "refunds", complete=False)
    desk.refresh(AS_OF + HOUR)
    desk.ledger.coverage("stripe", "refunds", complete=True)
    desk.anomaly("a")
    assert desk.refresh(AS_OF + 2 * HOUR) == changes(), "nobody knows that it was gone: not all had been read"
    desk.gone("a")
    desk.refresh(AS_OF + 3 * HOUR)
    desk.anomaly("a")
    assert desk.refresh(AS_OF + 4 * HOUR) == changes(reopened=1)


def test_a_resolution_after_a_run_began_does_not_stop_that_run(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    resolve(desk.engine, 1, **KIM, at=AS_OF + HOUR)
    desk.anomaly("b")
    assert desk.refresh(AS_OF + HOUR / 2) == changes(opened=1)


def test_a_snooze_ends_by_itself_and_rings(desk: Desk) -> None:
    desk.anomaly("a")
    desk.anomaly("b")
    desk.refresh()
    for finding in (1, 2):
        snooze(desk.engine, finding, **KIM, at=AS_OF, until=AS_OF + HOUR)
    desk.refresh(AS_OF + HOUR / 2)
    assert [row["status"] for row in desk.findings()] == ["snoozed", "snoozed"]
    desk.gone("b")
    desk.refresh(AS_OF + HOUR)
    assert [row["status"] for row in desk.findings()] == ["open", "resolved"]
    assert kinds(desk)[4:] == ["woken", "resolved"]


def test_a_snooze_ends_also_where_no_run_judges(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    snooze(desk.engine, 1, **KIM, at=AS_OF, until=AS_OF + HOUR)
    assert wake_snoozed(desk.engine, as_of=AS_OF + HOUR / 2) == 0
    assert wake_snoozed(desk.engine, as_of=AS_OF + HOUR) == 1
    assert kinds(desk) == ["opened", "snoozed", "woken"]
    assert desk.outbox()[2]["body"]["title"] == "Things amiss"


def test_a_snooze_is_over_when_the_finding_rises_to_high_and_again_when_it_rises_to_critical(desk: Desk) -> None:
    desk.anomaly("a", severity="LOW")
    desk.refresh()
    for hours, severity in enumerate(("HIGH", "CRITICAL")):
        snooze(desk.engine, 1, **KIM, at=AS_OF + hours * HOUR, until=AS_OF + 9 * HOUR)
        desk.gone("a")
        desk.anomaly("a", severity=severity)
        desk.refresh(AS_OF + (hours + 0.5) * HOUR)
        assert desk.findings()[0]["status"] == "open"
    assert kinds(desk) == ["opened", "snoozed", "risen", "snoozed", "risen"]


def test_acts_that_make_no_sense_are_refused_with_what_to_do(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    with pytest.raises(PermanentError, match="has passed already"):
        snooze(desk.engine, 1, **KIM, at=AS_OF, until=AS_OF)
    with pytest.raises(PermanentError, match="needs a reason"):
        resolve(desk.engine, 1, actor="kim", reason=" ", at=AS_OF)
    with pytest.raises(PermanentError, match="Nobody is named"):
        acknowledge(desk.engine, 1, actor=" ", reason=None, at=AS_OF)
    with pytest.raises(PermanentError, match="no finding 9"):
        acknowledge(desk.engine, 9, **KIM, at=AS_OF)
    with pytest.raises(PreconditionError, match="not the last, resolved episode"):
        reopen(desk.engine, 1, **KIM, at=AS_OF)
    resolve(desk.engine, 1, **KIM, at=AS_OF)
    with pytest.raises(PreconditionError, match="resolved already"):
        acknowledge(desk.engine, 1, **KIM, at=AS_OF)
    assert len(audit(desk)) == 1


def test_a_finding_can_be_shown_as_it_was_found_with_what_proved_it(desk: Desk) -> None:
    desk.anomaly("a", severity="MEDIUM", amount=20)
    desk.refresh()
    desk.ledger.read_in_full(stripe=True)
    desk.gone("a")
    desk.anomaly("a", severity="HIGH", amount=30)
    desk.refresh(AS_OF + HOUR)
    acknowledge(desk.engine, 1, **KIM, at=AS_OF + HOUR)
    with desk.engine.connect() as connection:
        story = finding_story(connection, 1)
        with pytest.raises(PermanentError, match="no finding 7"):
            finding_story(connection, 7)
    assert (story.finding["found_severity"], story.finding["severity"]) == ("MEDIUM", "HIGH")
    assert (story.finding["found_evidence"]["amount"], story.finding["evidence"]["amount"]) == ("20", "30")
    assert story.finding["run_id"] == "run_1"
    assert [(row["coverage_id"], row["resource"]) for row in story.coverage] == [(1, "payment_intents"), (2, "refunds")]
    assert [row["episode"] for row in story.episodes] == [1]
    assert [row["event"] for row in story.events] == ["finding acknowledged"]
    assert [row["kind"] for row in story.messages] == ["opened", "risen", "acknowledged"]


def test_a_finding_whose_repair_was_verified_is_resolved_by_it(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    desk.ledger.add(
        "recon.actions", finding_id=1, kind="fix_thing", target="{}", precondition="{}", precondition_digest="d",
        effects="[]", state="verified", proposed_by="policy", proposed_at=AS_OF,
    )  # fmt: skip
    desk.gone("a")
    desk.refresh(AS_OF + HOUR)
    (finding,) = desk.findings()
    assert (finding["resolved_how"], finding["resolved_by"]) == ("action", "action 1")
    assert finding["resolution"].startswith("Repaired by fix_thing, action 1")
