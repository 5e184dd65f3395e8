"""The score counts what was missed and what was cried for nothing, and is fooled by neither."""

from __future__ import annotations

from payments_pipeline.sandbox.scoring import score
from payments_pipeline.sandbox.world import Label

GAP = Label("E1", "webhook_never_came", "activation_gaps", {"user_id": "7"}, expected=True)
TRIAL = Label("E9", "on_trial", "activation_gaps", {"user_id": "8"}, expected=False)


def test_what_was_planted_and_said_is_found() -> None:
    reports, lines = score([GAP, TRIAL], {"activation_gaps": [{"user_id": 7, "amount": 5}]})
    assert (reports["activation_gaps"].planted, reports["activation_gaps"].found) == (1, 1)
    assert reports["activation_gaps"].perfect
    assert lines["E1"].found == 1


def test_what_was_not_said_is_missed() -> None:
    reports, lines = score([GAP], {"activation_gaps": []})
    assert [item["fault"] for item in reports["activation_gaps"].missed] == ["webhook_never_came"]
    assert not lines["E1"].perfect


def test_a_look_alike_that_was_said_is_false() -> None:
    reports, lines = score([GAP, TRIAL], {"activation_gaps": [{"user_id": 7}, {"user_id": 8}]})
    assert len(reports["activation_gaps"].false) == 1
    assert lines["E9"].false
    assert lines["E1"].perfect


def test_a_row_that_nobody_planted_is_false() -> None:
    reports, lines = score([GAP], {"activation_gaps": [{"user_id": 7}, {"user_id": 99}]})
    assert reports["activation_gaps"].false == [{"user_id": "99"}]
    assert lines["unplanted"].false


def test_labels_of_reports_that_did_not_run_do_not_count() -> None:
    reports, lines = score([GAP], {"stuck_authorizations": []})
    assert reports["stuck_authorizations"].perfect
    assert "E1" not in lines


def test_the_same_anomaly_said_twice_is_one_too_many() -> None:
    reports, _ = score([GAP], {"activation_gaps": [{"user_id": 7, "n": 1}, {"user_id": 7, "n": 2}]})
    assert reports["activation_gaps"].found == 1
    assert len(reports["activation_gaps"].false) == 1
