"""One anomaly is one finding, from its opening to its end, whoever runs the refresh how often."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from payments_pipeline.errors import ReportError
from payments_pipeline.findings import FindingChanges, Wanted, live_findings, refresh
from payments_pipeline.reports import load_reports
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.findings.conftest import Desk
from payments_pipeline_tests.reports.ledger import ago

LATER = AS_OF + timedelta(hours=1)


def changes(**counts: int) -> FindingChanges:
    return FindingChanges(**{"opened": 0, "refreshed": 0, "reopened": 0, "resolved": 0, "withheld": 0} | counts)


def test_a_row_becomes_a_finding_with_its_evidence(desk: Desk) -> None:
    desk.anomaly("a", amount=Decimal("20.10"), payment_id=9, provider_ref="pi_1")
    assert desk.refresh() == changes(opened=1)
    (finding,) = desk.findings()
    assert (finding["report"], finding["episode"], finding["status"]) == ("amiss", 1, "open")
    assert (finding["severity"], finding["provider"], finding["action"]) == ("HIGH", "stripe", "fix_thing")
    assert (finding["user_ref"], finding["payment_ref"]) == ("7", "9")
    assert (finding["amount"], finding["currency"], finding["times_seen"]) == (Decimal("20.10"), "USD", 1)
    assert finding["opened_at"] == finding["last_seen_at"] == AS_OF
    assert finding["evidence"] == {
        "thing": "a", "provider": "stripe", "severity": "HIGH", "user_id": 7, "payment_id": 9, "amount": "20.10",
        "currency": "USD", "count": 3, "seen_at": "2026-11-01T12:00:00+00:00", "provider_ref": "pi_1",
    }  # fmt: skip


def test_running_again_changes_only_when_and_how_often_it_was_seen(desk: Desk) -> None:
    desk.anomaly("a")
    desk.anomaly("b")
    desk.refresh()
    before, told = desk.findings(), desk.outbox()
    assert desk.refresh(LATER) == changes(refreshed=2)
    seen = {"last_seen_at": LATER, "times_seen": 2}
    assert desk.findings() == [dict(finding) | seen for finding in before]
    assert desk.outbox() == told


def test_a_finding_whose_row_is_gone_is_resolved_and_comes_back_as_a_new_episode(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    desk.gone("a")
    assert desk.refresh(LATER) == changes(resolved=1)
    (finding,) = desk.findings()
    assert (finding["status"], finding["resolved_at"], finding["resolved_by"]) == ("resolved", LATER, "reconciliation")
    assert desk.refresh(LATER) == changes()
    desk.anomaly("a")
    assert desk.refresh(LATER) == changes(reopened=1)
    assert [(f["episode"], f["status"]) for f in desk.findings()] == [(1, "resolved"), (2, "open")]
    assert len({f["fingerprint"] for f in desk.findings()}) == 1
    assert [n["dedupe_key"] for n in desk.outbox()] == ["1:opened", "1:resolved", "2:reopened"]
    assert {n["thread_id"] for n in desk.outbox()} == {1}


def test_severity_rises_and_never_falls_and_a_rise_to_high_is_told_once(desk: Desk) -> None:
    desk.anomaly("a", severity="MEDIUM")
    desk.refresh()
    for severity in ("CRITICAL", "LOW", "HIGH"):
        desk.gone("a")
        desk.anomaly("a", severity=severity)
        assert desk.refresh() == changes(refreshed=1)
        assert desk.findings()[0]["severity"] == "CRITICAL"
    assert [(n["kind"], n["severity"]) for n in desk.outbox()] == [("opened", "MEDIUM"), ("risen", "CRITICAL")]
    assert desk.findings()[0]["found_severity"] == "MEDIUM"


def test_what_people_did_with_a_finding_is_kept_until_the_snooze_is_over(desk: Desk) -> None:
    desk.anomaly("a")
    desk.anomaly("b")
    desk.refresh()
    with desk.engine.begin() as connection:
        connection.execute(
            text("UPDATE recon.findings SET status = 'snoozed', snoozed_until = :until WHERE finding_id = 1"),
            {"until": LATER},
        )
        connection.execute(text("UPDATE recon.findings SET status = 'acknowledged' WHERE finding_id = 2"))
    desk.refresh()
    assert [f["status"] for f in desk.findings()] == ["snoozed", "acknowledged"]
    desk.refresh(LATER)
    assert [f["status"] for f in desk.findings()] == ["open", "acknowledged"]


def test_two_rows_of_one_identity_are_one_finding_the_graver_counts(desk: Desk) -> None:
    desk.anomaly("a", severity="LOW")
    desk.anomaly("a", severity="CRITICAL")
    assert desk.refresh() == changes(opened=1)
    assert desk.findings()[0]["severity"] == "CRITICAL"


def test_four_refreshes_at_once_leave_one_finding_and_one_message(desk: Desk) -> None:
    desk.anomaly("a")
    desk.materialise()
    report, start = desk.report, threading.Barrier(4)

    def once(_: int) -> FindingChanges:
        start.wait()
        return refresh(
            desk.engine, report, as_of=AS_OF, configured={"stripe"}, ui_url="https://example.com", run_id=None
        )

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(once, range(4)))
    assert sorted(result.opened for result in results) == [0, 0, 0, 1]
    assert [(f["times_seen"], f["episode"]) for f in desk.findings()] == [(4, 1)]
    assert len(desk.outbox()) == 1


def test_nothing_happens_when_a_message_cannot_be_queued(desk: Desk) -> None:
    desk.anomaly("a")
    with desk.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE recon.notifications ADD CHECK (severity <> 'HIGH')")
    with pytest.raises(Exception, match="violates check constraint"):
        desk.refresh()
    assert desk.findings() == []


def test_a_report_without_a_table_says_what_to_do_first(desk: Desk) -> None:
    with pytest.raises(ReportError, match="Materialise the asset amiss first"):
        refresh(desk.engine, desk.report, as_of=AS_OF, configured=(), ui_url="", run_id=None)


def test_live_findings_come_gravest_first(desk: Desk) -> None:
    for thing, severity in (("a", "LOW"), ("b", "CRITICAL"), ("c", "HIGH")):
        desk.anomaly(thing, severity=severity)
    desk.refresh()
    desk.gone("c")
    desk.refresh()
    with desk.engine.connect() as connection:
        assert [f.evidence["thing"] for f in live_findings(connection)] == ["b", "a"]
        assert [f.severity for f in live_findings(connection, Wanted("amiss"), limit=1)] == ["CRITICAL"]
        assert live_findings(connection, Wanted("another")) == []


@pytest.mark.parametrize("name", ["activation_gaps", "out_of_sync_payments", "stuck_authorizations"])
def test_every_shipped_report_opens_and_resolves_its_findings(desk: Desk, name: str) -> None:
    ledger, report = desk.ledger, load_reports()[name]
    status = "succeeded" if name == "activation_gaps" else "authorized"
    ledger.payment(ledger.user(), ledger.plan("pro", "year"), status, ago(days=9))
    ledger.transaction("authorized" if name == "stuck_authorizations" else "paid", ago(days=9))

    def once() -> FindingChanges:
        ledger.run(name)
        return refresh(desk.engine, report, as_of=AS_OF, configured={"stripe"}, ui_url="", run_id=None)

    def execute(sql: str) -> Any:
        with desk.engine.begin() as connection:
            connection.exec_driver_sql(sql)

    assert once() == changes(opened=1)
    assert once() == changes(refreshed=1)
    assert desk.findings()[0]["evidence"]["provider_ref"] == "pi_1"
    execute("UPDATE recon.provider_transactions SET state = 'canceled'")
    execute("UPDATE public.payment_transactions SET status = 'canceled'")
    assert once() == changes(resolved=1)


def test_a_look_at_the_past_leaves_findings_as_they_were_judged_later(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh(LATER)
    desk.gone("a")
    desk.anomaly("b")
    assert desk.refresh(AS_OF) == changes()
    assert [(f["status"], f["last_seen_at"]) for f in desk.findings()] == [("open", LATER)]
