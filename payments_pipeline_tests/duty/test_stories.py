"""`user` and `payment`: everything about one of them from both sides, in one order of time."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from payments_pipeline.errors import PermanentError
from payments_pipeline.json_output import STDOUT
from payments_pipeline.lookup import payment_story, timeline, user_story
from payments_pipeline.present_stories import show_payment, show_user
from payments_pipeline_tests.duty.conftest import Town


def one(town: Town, query: str, **values: object) -> object:
    with town.engine.connect() as connection:
        return connection.execute(text(query), values).scalar_one()


def test_a_payer_who_was_let_in_by_a_repair_has_one_story(town: Town) -> None:
    user_id = town.labelled("webhook_never_came", "activation_gaps")["user_id"]
    with town.engine.connect() as connection:
        story = user_story(connection, user_id)
    assert story.user is not None
    assert story.user["has_access"]
    assert story.entitlement is not None
    assert story.entitlement["is_entitled"]
    assert [payment["status"] for payment in story.payments]
    assert {one["state"] for one in story.objects} >= {"paid"}
    told = [(moment.side, moment.what) for moment in timeline(story)]
    found = next(place for place, (side, what) in enumerate(told) if side == "finding" and "activation_gaps" in what)
    repaired = next(place for place, (side, what) in enumerate(told) if side == "repair" and "verified" in what)
    assert found < repaired
    assert [moment.at for moment in timeline(story)] == sorted(moment.at for moment in timeline(story))


@pytest.mark.parametrize("column", ["email", "username", "upper(email)"])
def test_a_user_is_found_by_what_people_call_them(town: Town, column: str) -> None:
    user_id = town.labelled("webhook_never_came", "activation_gaps")["user_id"]
    query = "SELECT {} FROM recon.app_users WHERE CAST(user_id AS text) = :id"
    word = str(one(town, query.format(column), id=user_id))
    with town.engine.connect() as connection:
        found = user_story(connection, f" {word} ").user
    assert found is not None
    assert found["user_id"] == user_id


def test_a_payment_is_found_by_every_name_it_has(town: Town) -> None:
    query = (
        "SELECT {} FROM recon.app_payments AS p INNER JOIN recon.stripe_charges AS c"
        " ON p.provider_ref = c.payment_intent_id ORDER BY p.payment_id, c.object_id LIMIT 1"
    )
    payment_id = str(one(town, query.format("p.payment_id")))
    for name in ("CAST(p.payment_id AS text)", "p.provider_ref", "c.object_id"):
        with town.engine.connect() as connection:
            story = payment_story(connection, str(one(town, query.format(name))))
        assert [payment["payment_id"] for payment in story.payments] == [payment_id], name
        assert story.objects, name
        assert story.user is not None, name


def test_money_that_no_payment_knows_is_shown_with_its_finding(town: Town) -> None:
    ref = str(
        one(
            town,
            "SELECT f.evidence ->> 'provider_ref' FROM recon.findings AS f WHERE f.report = 'orphan_provider_payments'"
            " AND f.payment_ref IS NULL AND f.user_ref IS NULL ORDER BY f.finding_id LIMIT 1",
        )
    )
    with town.engine.connect() as connection:
        story = payment_story(connection, ref)
    assert not story.payments
    assert story.objects[0]["provider_ref"] == ref
    assert "orphan_provider_payments" in {finding["report"] for finding in story.live}


def test_who_is_unknown_or_meant_twice_is_said_so(town: Town) -> None:
    with town.engine.connect() as connection:
        with pytest.raises(PermanentError, match="There is no user"):
            user_story(connection, "nobody@example.com")
        with pytest.raises(PermanentError, match="Neither the application nor a provider knows"):
            payment_story(connection, "pi_never_made")


def test_json_has_the_timeline_and_exact_amounts(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    label = next(label for label in town.world.labels if label.expected and label.report == "amount_mismatches")
    ref = label.key["payment_id"]
    assert show_payment(town.settings, ref, json=STDOUT) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["timeline"]
    assert isinstance(told["objects"][0]["amount"], str)
    assert {moment["side"] for moment in told["timeline"]} >= {"provider", "finding"}


def test_people_see_tables_and_the_exit_code_tells_of_open_findings(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = str(
        one(
            town,
            "SELECT CAST(u.user_id AS text) FROM recon.app_users AS u WHERE u.has_access"
            " AND NOT EXISTS (SELECT 1 FROM recon.findings AS f WHERE f.user_ref = CAST(u.user_id AS text))"
            " ORDER BY u.user_id LIMIT 1",
        )
    )
    assert show_user(town.settings, clean, json=None) == 0
    told = capsys.readouterr().out
    assert "has access" in told
    assert "No finding is open." in told
    assert "Timeline" in told
