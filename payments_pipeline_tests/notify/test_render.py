"""Whatever a finding holds, its message fits into the limits; foreign text stays text, personal data is masked."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments_pipeline.notify.channel import Message
from payments_pipeline.notify.plain import plain
from payments_pipeline.notify.render import GREEN, GREY, ORANGE, RED, YELLOW, colour, headline, render
from payments_pipeline.notify.text import clean, escaped, fitted, link, masked, units, withheld
from payments_pipeline.sandbox.discord_limits import check_message
from payments_pipeline_tests.notify.conftest import GAP
from payments_pipeline_tests.notify.discord_schema import EVERYWHERE_TOGETHER, validators

# `make soak-alerts` tries many more.
EXAMPLES = int(os.environ.get("RENDER_EXAMPLES", "10"))
EVIDENCE = [
    "user_id",
    "username",
    "plan",
    "subscription_status",
    "amount",
    "currency",
    "paid_at",
    "reason",
    "provider_ref",
]
NASTY = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(categories=["Cs", "Co", "Cf", "Mn", "So"]), max_size=60),
    st.sampled_from(
        ["@everyone", "<@1>", "```", "\\", "\u202e", "👩‍👩‍👧‍👦", "x@example.com", "\ud83d", "\x00", "||", " "]
    ),
)
HUGE = st.builds(lambda piece, times: piece * times, NASTY, st.sampled_from([1] * 8 + [30, 400]))
VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), HUGE),
    lambda inner: st.one_of(st.lists(inner, max_size=30), st.dictionaries(HUGE, inner, max_size=30)),
    max_leaves=40,
)
ROW = st.dictionaries(st.one_of(st.sampled_from(EVIDENCE), HUGE), VALUE, max_size=40)
BODY = st.dictionaries(st.one_of(st.sampled_from(sorted({*GAP, "resolution", "counts"})), HUGE), VALUE, max_size=40)
KINDS = st.sampled_from(
    ["opened", "risen", "woken", "reopened", "acknowledged", "snoozed", "resolved", "digest", "summary", "failure"]
)
VALIDATORS = validators()


def check_limits(payload: dict[str, Any]) -> None:
    """Discord's published limits, counted in UTF-16 code units; whitespace alone counts as nothing."""
    json.dumps(payload).encode("ascii")
    check_message(payload, complete=True)
    for validator in VALIDATORS:
        validator.validate(payload)
    (embed,) = payload["embeds"]
    assert payload["allowed_mentions"] == {"parse": []}
    texts = [(embed["title"], 256), (embed["description"], 4096), (embed["footer"]["text"], 2048)]
    texts += [(field["name"], 256) for field in embed["fields"]]
    texts += [(field["value"], 1024) for field in embed["fields"]]
    for shown, limit in texts:
        assert shown.strip()
        assert units(shown) <= limit
        shown.encode("utf-8")
    assert sum(units(shown) for shown, _ in texts) <= EVERYWHERE_TOGETHER
    assert len(embed["fields"]) <= 25
    assert 0 <= embed["color"] <= 0xFFFFFF


@settings(max_examples=EXAMPLES, deadline=None)
@given(BODY, ROW, KINDS, st.sampled_from(["LOW", "HIGH", "CRITICAL", "?"]), st.tuples(st.booleans(), st.booleans()))
def test_any_body_fits(
    body: dict[str, Any], row: dict[str, Any], kind: str, severity: str, gap_and_personal: tuple[bool, bool]
) -> None:
    gap, personal = gap_and_personal
    whole = body | {"evidence": row} | ({"report": "activation_gaps"} if gap else {})
    message = Message(2**63, kind, severity, whole)
    check_limits(render(message, personal=personal))
    place = headline(message, personal=personal)
    check_message(place, complete=True)
    for validator in VALIDATORS:
        validator.validate(place)
    title, words = plain(message, personal=personal)
    assert "\n" not in title
    assert f"notification {2**63}" in words


@given(NASTY, st.integers(1, 40))
def test_cut_text_is_short_enough_and_splits_no_escape(text: str, limit: int) -> None:
    short = fitted(escaped(clean(text)), limit)
    assert units(short) <= limit
    assert not re.search(r"(?<!\\)(\\\\)*\\…$", short)


def test_longest_gap_keeps_its_advice_and_links() -> None:
    row = dict.fromkeys(EVIDENCE, "𝕏_" * 5000) | {f"extra {n}": "y" * 900 for n in range(40)}
    body = GAP | {"evidence": row, "why": "w*" * 4000, "what_to_do": "d" * 9000, "title": "t" * 999}
    payload = render(Message(1, "opened", "CRITICAL", body))
    check_limits(payload)
    names = [field["name"] for field in payload["embeds"][0]["fields"]]
    assert "What to do" in names
    assert "Links" in names


def test_gap_shows_what_people_need() -> None:
    embed = render(Message(7, "opened", "CRITICAL", GAP | {"finding_id": 3}))["embeds"][0]
    assert {field["name"]: field["value"] for field in embed["fields"]} == {
        "User id": "17",
        "Username": "kim",
        "Plan": "Pro monthly",
        "Payment status": "completed",
        "Subscription": "inactive / free (paid for: pro)",
        "Transaction id": "stripe pi_1",
        "Payment time": "2026-11-01 11:00:00 UTC",
        "Amount": "19.99 USD",
        "Reason": "webhook never came",
        "What to do": "Check the webhook; apply activate_subscription.",
        "Links": "[report](http://127.0.0.1:3000/assets/reports/activation_gaps) · [run](http://127.0.0.1:3000/runs/4f1c)",
    }
    assert embed["footer"]["text"] == "activation_gaps · finding 3 · episode 1 · notification 7"


def test_gap_with_nothing_known_still_shows_every_field() -> None:
    embed = render(Message(7, "opened", "CRITICAL", {"report": "activation_gaps"}))["embeds"][0]
    assert [field["value"] for field in embed["fields"]] == ["—"] * 9


@pytest.mark.parametrize(
    ("kind", "severity", "report", "expected"),
    [
        ("opened", "CRITICAL", "out_of_sync_payments", RED),
        ("opened", "MEDIUM", "activation_gaps", RED),
        ("opened", "HIGH", "out_of_sync_payments", ORANGE),
        ("digest", "MEDIUM", "stuck_authorizations", YELLOW),
        ("opened", "LOW", "x", GREY),
        ("opened", "MEDIUM", "webhook_failures", ORANGE),
        ("opened", "CRITICAL", "webhook_failures", RED),
        ("failure", "HIGH", "", ORANGE),
        ("resolved", "CRITICAL", "activation_gaps", GREEN),
    ],
)
def test_colour_tells_how_bad_it_is(kind: str, severity: str, report: str, expected: int) -> None:
    assert colour(Message(1, kind, severity, {"report": report})) == expected


def test_gap_that_was_repaired_is_good_news() -> None:
    body = GAP | {"resolution": "Repaired by activate_subscription, action 3.", "resolved_how": "action"}
    embed = render(Message(1, "resolved", "CRITICAL", body))["embeds"][0]
    assert embed["description"].startswith("Payment completed, subscription active. Repaired by")
    assert embed["color"] == GREEN


def test_headline_tells_how_bad_but_not_of_whom() -> None:
    said = json.dumps(headline(Message(7, "opened", "CRITICAL", GAP | {"finding_id": 3})))
    assert "Paid but not active" in said
    assert not any(word in said for word in ("kim", "pi_1", "finding", "notification"))


def test_digest_lists_counts_and_amounts() -> None:
    body = {
        "report": "out_of_sync_payments",
        "title": "40 new",
        "by_severity": {"CRITICAL": 40},
        "amount_at_risk": {"USD": "799.60"},
        "examples": [{"finding": 1, "provider_ref": "pi_1", "user": "17"}, {"finding": 2}],
    }
    embed = render(Message(1, "digest", "CRITICAL", body))["embeds"][0]
    assert {field["name"]: field["value"] for field in embed["fields"]} == {
        "By severity": "CRITICAL: 40",
        "Amount at risk": "USD: 799.60",
        "Examples": "finding 1, provider_ref pi_1, user 17\nfinding 2",
    }


def test_digest_of_resolved_findings_is_green() -> None:
    body = {"report": "activation_gaps", "change": "resolved", "by_severity": {"CRITICAL": 40}}
    assert colour(Message(1, "digest", "CRITICAL", body)) == GREEN


def test_e_mail_addresses_are_masked_unless_allowed() -> None:
    body = GAP | {"evidence": {"username": "kim.lee@example.com", "reason": "mail to <kim.lee@example.com>, refused"}}
    message = Message(1, "opened", "CRITICAL", body)
    assert "kim.lee" not in json.dumps(render(message))
    assert "k***@***.com" in masked("kim.lee@example.com")
    assert "kim.lee@example.com" in json.dumps(render(message, personal=True))


@pytest.mark.parametrize("column", ["email", "phone", "first_name", "billing_address", "ip", "iban", "card_last4"])
def test_columns_that_hold_personal_data_by_their_name_are_masked(column: str) -> None:
    message = Message(1, "opened", "HIGH", {"report": "x", "evidence": {column: "Quintessa 12"}})
    assert "uintessa" not in json.dumps(render(message)) + plain(message)[1]
    assert "Quintessa" in json.dumps(render(message, personal=True))


@pytest.mark.parametrize("column", ["username", "user_id", "deposit_address", "plan_name", "amount", "description"])
def test_columns_that_people_need_are_shown(column: str) -> None:
    assert withheld(column, "abc") == "abc"


def test_telephone_numbers_in_free_text_are_masked() -> None:
    assert masked("call +41 44 668 18 00 or ref 4166818001234") == "call +*** or ref 4166818001234"


@given(st.text(max_size=30), st.emails(), st.text(max_size=30))
def test_no_e_mail_address_gets_through(before: str, address: str, after: str) -> None:
    assert address not in masked(clean(f"{before}{address}{after}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@everyone", "@\u200beveryone"),
        ("<@123>", r"\<@123>"),
        ("**bold** _it_ `code`", r"\*\*bold\*\* \_it\_ \`code\`"),
        ("[free](https://example.com)", "\\[free\\](https:\u200b//example.com)"),
        ("# title", r"\# title"),
        ("- item", r"\- item"),
        ("pi_3Nx_secret", "pi_3Nx_secret"),
        ("__init__", r"\_\_init\_\_"),
        ("back\\slash", "back\\\\slash"),
    ],
)
def test_markup_of_others_stays_text(text: str, expected: str) -> None:
    assert escaped(text) == expected


@pytest.mark.parametrize(
    "address", [None, 5, "javascript:alert(1)", "http://", "https://x/\n", "http://[", "ftp://x/y"]
)
def test_only_web_addresses_become_links(address: object) -> None:
    assert link("report", address) is None


def test_address_can_not_break_out_of_its_link() -> None:
    assert link("report", "http://127.0.0.1/a) @here (b") == "[report](http://127.0.0.1/a%29%20@here%20%28b)"
