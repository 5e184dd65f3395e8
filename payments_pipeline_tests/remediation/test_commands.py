"""Repairs from the command line: a dry run unless said otherwise, both sides shown, everybody named."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from payments_pipeline.cli import app
from payments_pipeline.config import Settings
from payments_pipeline.errors import PermanentError
from payments_pipeline_tests.remediation.teller import Teller
from payments_pipeline_tests.remediation.town import PLANS


@pytest.fixture
def say(teller: Teller, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> object:
    for name, value in teller.sandbox.environment().items():
        monkeypatch.setenv(name, value)
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("PAYMENTS_HOME", str(settings.payments_home))
    monkeypatch.setenv("COLUMNS", "200")  # whatever the terminal that the tests run in

    def run(line: str, *words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*line.split(), *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, re.sub(r"\s+", " ", result.output)

    return run


def test_hold_is_captured_by_two_people_at_their_terminals(teller: Teller, say: object) -> None:
    assert callable(say)
    intent = teller.hold(booking="completed")
    teller.town.run("UPDATE public.payment_transactions SET created_at = now()")
    with teller.sandbox.state.lock:
        charge = teller.sandbox.state.stripe.payment_intents[intent]["latest_charge"]
        card = teller.sandbox.state.stripe.charges[charge]["payment_method_details"]["card"]
        card["capture_before"] = 4102444800
    propose = f"actions propose capture_payment provider_ref={intent} --actor ann --reason delivered"
    code, told = say(propose)
    assert (code, teller.town.count("recon.actions")) == (0, 0)
    assert "requires_capture" in told and "succeeded" in told  # noqa: PT018
    assert say(f"{propose} --no-dry-run")[0] == 0
    code, told = say("actions list")
    assert code == 1
    assert f"provider_ref {intent}" in told
    code, told = say("actions apply 1 --actor bob --no-dry-run")
    assert (code, "asks for 1 approval" in told) == (1, True)
    assert "approved" in say("actions approve 1 --actor bob")[1]
    code, told = say("actions apply 1 --actor bob")
    assert (code, "Nothing was changed" in told, teller.moves(intent)) == (0, True, [])
    code, told = say("actions apply 1 --actor bob --no-dry-run")
    assert (code, teller.moves(intent)) == (0, [("capture", 8000)])
    shown = say("actions show 1")[1]
    for word in ("verified", "approved by bob", "action.applying", "action.verified"):
        assert word in shown
    assert say("audit verify")[0] == 0


def test_user_is_given_a_plan_with_a_reason(teller: Teller, say: object) -> None:
    assert callable(say)
    user = teller.town.user()
    line = f"activate --user {user} --plan {PLANS['month']} --reason apology --actor ann"
    code, told = say(line)
    assert (code, "Nothing was changed" in told) == (0, True)
    assert teller.town.look(user)["subscription_status"] == "inactive"
    assert say(f"{line} --no-dry-run")[0] == 0
    assert teller.town.look(user)["subscription_status"] == "active"
    assert say(f"{line} --no-dry-run")[0] == 1
    code, told = say(f"audit show --user {user}")
    assert (code, "ann: apology" in told) == (0, True)


def test_everything_can_be_stopped_and_go_on(teller: Teller, say: object) -> None:
    assert callable(say)
    user = teller.town.user()
    assert say("actions stop --actor boss --reason odd")[0] == 0
    line = f"activate --user {user} --plan {PLANS['month']} --reason apology --actor ann --no-dry-run"
    code, told = say(line)
    assert (code, "stopped by boss: odd" in told) == (1, True)
    assert say("actions resume --actor boss --reason fine")[0] == 0
    assert say("actions apply 1 --actor ann --no-dry-run")[0] == 0


def test_policies_are_shown_and_changed_by_somebody_with_a_name(teller: Teller, say: object) -> None:
    assert callable(say)
    code, told = say("actions policies")
    assert (code, "no_show_holds" in told, "retry_payout" in told) == (0, True, True)
    assert say("actions policy expire_payment --mode auto --max-per-day 9 --actor boss")[0] == 0
    row = "SELECT mode || ' ' || max_per_day || ' ' || changed_by FROM recon.policies WHERE action = 'expire_payment'"
    assert teller.town.run(row) == "auto 9 boss"
    assert teller.town.run("SELECT actor FROM recon.audit_log WHERE event = 'policy.changed'") == "boss"
    with pytest.raises(PermanentError, match="never_auto"):
        say("actions policy refund_payment --mode auto --actor boss")


def test_limits_and_terms_are_changed_but_no_second_approval_is_lost(teller: Teller, say: object) -> None:
    assert callable(say)
    line = "actions policy capture_payment --actor boss"
    sums = ("--limit-run", "USD 700", "--limit-day", "usd 900.50", "--second-above", "USD 300", "--limit-day", "CHF 50")
    code, told = say(f"{line} --report stuck_authorizations --expires-hours 12", *sums)
    assert (code, "policy-confirm 1" in told, "caps of its own" in told) == (1, True, True)
    assert "waits until" in say("actions policies")[1]
    assert say("actions policy-confirm 1 --actor ann")[0] == 0
    rows = teller.town.run(
        "SELECT array_agg(concat_ws(' ', currency, max_amount_per_run, max_amount_per_day, second_approval_above)"
        " ORDER BY currency) FROM recon.policy_limits WHERE report = 'stuck_authorizations'"
    )
    assert rows == ["CHF 50 0", "USD 700 900.50 300"]
    told = teller.town.row("SELECT actor, after FROM recon.audit_log WHERE event = 'policy.changed'")
    assert (told["actor"], told["after"]["limits"]["USD"]["max_amount_per_day"]) == ("ann", "900.50")
    assert told["after"]["expires_after"] == "12:00:00"
    assert '"max_amount_per_day": "900.50"' in say("actions policies --json")[1]
    with pytest.raises(PermanentError, match="two people must agree"):
        say(line, "--second-above", "USD 501")
    assert say(line, "--max-per-run", "51")[0] == 1
    assert say("actions policy-refuse 2 --actor ann --reason", "not so many")[0] == 0
    assert "Every version is in" in say("actions policy-record --actor ann --reason", "to see")[1]
    for wrong in ("USD", "USD Infinity", "USD -1", "500", "USD 1E+99"):
        with pytest.raises(PermanentError, match="is not a sum"):
            say(line, "--limit-run", wrong)
    with pytest.raises(PermanentError, match="stuck_authorizations"):
        say(f"{line} --report stuck_authorisation --max-per-run 3")


def test_brackets_in_what_people_write_are_only_brackets(teller: Teller, say: object) -> None:
    assert callable(say)
    user, reason = teller.town.user(), r"see [/PROJ-1] \[/red] :bug:"
    line = f"activate --user {user} --plan {PLANS['month']} --actor ann --no-dry-run --reason"
    assert say(line, reason)[0] == 0
    for words in ("actions list --state verified", "actions show 1", f"audit show --user {user}"):
        assert "[/PROJ-1]" in say(words)[1], words
    finding = teller.town.finding("[/b]", None, reason=reason)
    for words in ("findings list", f"findings show {finding}", f"user {user}"):
        assert "[/b]" in say(words)[1] or words.startswith("user"), words


def test_what_is_not_given_or_not_known_is_refused(teller: Teller, say: object) -> None:
    assert callable(say)
    user, _, finding = teller.town.gap()
    refused = [
        (f"activate --user {user} --plan 3 --actor ann --no-dry-run --reason", "", "needs a reason"),
        (f"activate --user {user} --plan 3 --actor policy --no-dry-run --reason", "r", "calls itself"),
        ("actions stop --actor ann --reason", " ", "needs a reason"),
        ("actions list --state", "bogus", "proposed, approved, applying"),
        ("outbox requeue", "nosuch", "no channel"),
        (f"findings snooze {finding} --as kim --until", "9999-12-31T23:59:59-12:00", "not a time"),
        (f"findings ack {finding} --as", "Policy", "calls itself"),
    ]
    for line, word, told in refused:
        with pytest.raises(PermanentError, match=told):
            say(line, word)
    assert teller.town.count("recon.audit_log") == 0
