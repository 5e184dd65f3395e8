"""What a refresh leaves in the outbox: one message a change, or one for a flood."""

from __future__ import annotations

from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.findings.conftest import Desk
from payments_pipeline_tests.findings.test_lifecycle import changes

MANY = [f"thing {number}" for number in range(21)]


def test_an_opened_finding_is_told_with_all_that_a_reader_needs(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    (message,) = desk.outbox()
    assert (message["channel"], message["kind"], message["state"]) == ("*", "opened", "pending")
    assert (message["dedupe_key"], message["finding_id"]) == ("1:opened", 1)
    assert (message["severity"], message["next_attempt_at"], message["created_at"]) == ("HIGH", AS_OF, AS_OF)
    assert message["body"] == {
        "report": "amiss", "title": "Things amiss", "why": "They cost money.", "what_to_do": "Look.",
        "severity": "HIGH", "evidence": desk.findings()[0]["evidence"], "finding_id": 1, "episode": 1,
        "opened_at": "2026-11-01T12:00:00+00:00", "report_url": "https://dagster.example.com/assets/amiss",
        "run_id": "run_1", "status": "open",
    }  # fmt: skip


def test_a_resolved_finding_says_so(desk: Desk) -> None:
    desk.anomaly("a")
    desk.refresh()
    desk.gone("a")
    desk.refresh()
    message = desk.outbox()[1]
    assert (message["kind"], message["finding_id"]) == ("resolved", 1)
    assert message["body"]["resolution"] == "No longer found by the reconciliation."
    assert message["body"]["evidence"]["thing"] == "a"


def test_twenty_are_told_one_by_one(desk: Desk) -> None:
    for thing in MANY[:20]:
        desk.anomaly(thing)
    desk.refresh()
    assert [message["kind"] for message in desk.outbox()] == ["opened"] * 20


def test_a_backlog_is_one_digest_and_its_end_another(desk: Desk) -> None:
    for thing in MANY:
        desk.anomaly(thing)
    desk.anomaly("the gravest", severity="CRITICAL", currency="EUR")
    assert desk.refresh() == changes(opened=22)
    (digest,) = desk.outbox()
    assert (digest["kind"], digest["severity"], digest["finding_id"]) == ("digest", "CRITICAL", None)
    body = digest["body"]
    assert (body["change"], body["findings"]) == ("opened", 22)
    assert body["by_severity"] == {"CRITICAL": 1, "HIGH": 21}
    assert body["amount_at_risk"] == {"EUR": "20", "USD": "420"}
    assert len(body["examples"]) == 5
    assert body["examples"][0] == {"finding": 1, "user": "7", "amount": "20", "currency": "EUR"}
    desk.gone(*MANY)
    assert desk.refresh() == changes(refreshed=1, resolved=21)
    assert [(m["kind"], m["body"].get("change")) for m in desk.outbox()][1:] == [("digest", "resolved")]


def test_findings_with_a_message_of_their_own_have_it_edited_however_many(desk: Desk) -> None:
    for batch in (MANY[:15], MANY[15:]):
        for thing in batch:
            desk.anomaly(thing)
        desk.refresh()
    desk.gone(*MANY)
    desk.refresh()
    assert [message["kind"] for message in desk.outbox()] == ["opened"] * 21 + ["resolved"] * 21
