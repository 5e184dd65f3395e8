"""Repairs against servers that speak Stripe's API with words of their own: refused with the reason, or settled by
reading; never forced, never stuck."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.errors import CredentialsError, MalformedObjectError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.providers.stripe_writes import checked
from payments_pipeline.remediation.actions import apply, propose_target
from payments_pipeline.remediation.holds import intent_facts
from payments_pipeline.remediation.outcome import ActionResult
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.remediation.other_stripe import ACCOUNT, Answer, OtherStripe, other_stripe, refusal
from payments_pipeline_tests.remediation.town import Town

HOLD = {
    "object": "payment_intent", "status": "requires_capture", "amount": 8000, "currency": "usd",
    "amount_capturable": 8000, "amount_received": 0,
    "latest_charge": {"id": "ch_other", "captured": False, "amount_refunded": 0},
}  # fmt: skip
NOT_FOUND: Answer = (404, "<html>no such page</html>")


class Counter:
    """One hold of another server's, for a service that was given."""

    def __init__(self, town: Town, stripe: OtherStripe, settings: Settings) -> None:
        self.town, self.stripe = town, stripe
        url = settings.database_url.get_secret_value() if settings.database_url else None
        own = load_settings(
            _env_file=None, database_url=url, http_timeout_seconds=2, http_max_attempts=1,
            stripe_api_key="sk_test_other", stripe_api_base=stripe.base, stripe_account=ACCOUNT,
        )  # fmt: skip
        self.desk = Desk(own, lambda: AS_OF)
        town.run("UPDATE recon.policies SET approvals = 0")
        self.ref = ""

    def proposed(self, **fields: Any) -> int:
        """A hold of its own; `fields` in place of the ordinary ones, None: left out."""
        self.ref = f"pi_other{int(self.ref.removeprefix('pi_other') or 0) + 1}"
        intent = HOLD | {"id": self.ref} | fields
        self.stripe.forget({key: value for key, value in intent.items() if value is not None})
        user, began = self.town.user(), AS_OF - timedelta(hours=4)
        booking = self.town.run(
            "INSERT INTO public.bookings (customer_id, provider_id, starts_at, ends_at, actual_start, status, price,"
            " currency) VALUES (:user, :user, :began, :ended, :began, 'completed', 80, 'usd') RETURNING id",
            user=user, began=began, ended=began + timedelta(hours=1),
        )  # fmt: skip
        self.town.run(
            "INSERT INTO public.payment_transactions (user_id, booking_id, payment_method, transaction_id, status,"
            " amount, currency, created_at) VALUES (:user, :booking, 'stripe', :ref, 'authorized', 80, 'usd', :at)",
            user=user, booking=booking, ref=self.ref, at=began,
        )  # fmt: skip
        self.town.run(
            "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, livemode, state,"
            " raw_status, amount, currency, provider_created_at, state_changed_at, read_at, link_method) VALUES"
            " ('stripe', :account, :ref, 'payment', FALSE, 'authorized', 'requires_capture', 80, 'USD', :at, :at,"
            " :at, 'reference')",
            account=ACCOUNT, ref=self.ref, at=began,
        )  # fmt: skip
        view = propose_target(
            self.town.engine, "capture_payment", {"provider_ref": self.ref},
            actor="kim", as_of=AS_OF, reason="given", desk=self.desk,
        )  # fmt: skip
        assert view.action_id is not None, view.reason
        return view.action_id

    def apply(self, action: int) -> ActionResult:
        self.town.run("UPDATE recon.actions SET leased_until = '-infinity' WHERE state = 'applying'")
        return apply(self.town.engine, action, actor="night", as_of=AS_OF, dry_run=False, desk=self.desk)

    def row(self) -> str:
        row = "SELECT status FROM public.payment_transactions WHERE transaction_id = :ref"
        return str(self.town.run(row, ref=self.ref))


@pytest.fixture
def counter(town: Town, settings: Settings) -> Iterator[Counter]:
    with other_stripe() as stripe:
        yield Counter(town, stripe, settings)


REFUSALS = [
    (refusal(400, "payment_intent_unexpected_state"), "payment_intent_unexpected_state"),
    (refusal(400, "charge_already_captured"), "charge_already_captured"),
    (refusal(400, "charge_expired_for_capture"), "charge_expired_for_capture"),
    (refusal(400, "amount_too_large"), "amount_too_large"),
    (refusal(400, None, "idempotency_error"), "idempotency_error"),
    (refusal(402, "card_declined"), "card_declined"),
    (NOT_FOUND, "404"),
]
SAID_AND_DONE = [
    refusal(400, "charge_already_captured"),
    refusal(400, "payment_intent_unexpected_state"),
    refusal(409, "idempotency_key_in_use"),
    (500, "<html>oops</html>"),
    (200, "not JSON at all"),
    (302, ""),
]


def test_what_the_server_refuses_is_rejected_in_its_words(counter: Counter) -> None:
    for answer, told in REFUSALS:
        action = counter.proposed()
        counter.stripe.writes = [answer]
        ended = counter.apply(action)
        assert (ended.state, told in str(ended.reason)) == ("rejected", True), ended.reason
        assert (counter.stripe.captured, len(counter.stripe.keys), counter.row()) == ([], 1, "authorized")


def test_whatever_the_answer_says_a_capture_that_reads_back_is_settled(counter: Counter) -> None:
    """As when the answer is of a call before: the error tells that it is done already."""
    for answer in SAID_AND_DONE:
        action = counter.proposed()
        counter.stripe.writes, counter.stripe.deaf = [answer], True
        assert counter.apply(action).state == "verified", answer
        assert (counter.stripe.captured, counter.row()) == ([8000], "completed")


def test_an_answer_that_decides_nothing_is_asked_again_only_after_reading(counter: Counter) -> None:
    busy: Answer = (503, "<html>busy</html>")
    for answer in (refusal(409, "idempotency_key_in_use"), (302, ""), busy):
        action = counter.proposed()
        counter.stripe.writes = [answer]
        assert counter.apply(action).state == "applying"
        assert counter.apply(action).state == "verified"
        first, second = counter.stripe.keys
        assert (first == second) == (answer is not busy), "only an answer that may be stored needs another key"
        assert counter.stripe.captured == [8000]


def test_a_key_that_may_not_write_is_a_failure_that_names_the_key(counter: Counter) -> None:
    action = counter.proposed()
    counter.stripe.writes = [refusal(403, None, "invalid_request_error")]
    ended = counter.apply(action)
    assert ended.state == "failed"
    assert "STRIPE_API_KEY" in str(ended.reason)


def test_fields_that_older_servers_lack_are_told_from_the_others(counter: Counter) -> None:
    for lacking in (
        {"amount_capturable": None},
        {"amount_received": None, "latest_charge": "ch_other"},
        {"amount_received": None, "amount_capturable": None, "latest_charge": "ch_other"},
        {"amount_received": None, "amount_capturable": None, "latest_charge": None},
    ):
        action = counter.proposed(**lacking)
        assert counter.apply(action).state == "verified"
        assert (counter.stripe.captured, counter.row()) == ([8000], "completed")


@pytest.mark.parametrize(
    ("received", "charge", "taken", "given_back"),
    [
        (3000, {"amount_refunded": 0}, "30.00", "0.00"),
        (3000, {"amount_refunded": 1000}, "30.00", "10.00"),
        (3000, {"amount_refunded": 5000, "refunded": False}, "30.00", "0.00"),
        (3000, {"amount_refunded": 6000, "refunded": False}, "30.00", "10.00"),
        (3000, {"amount_refunded": 8000, "refunded": True}, "30.00", "30.00"),
        (4000, {"amount_refunded": 4000, "refunded": False}, "40.00", "0.00"),
        (4000, {"amount_refunded": 4000, "refunded": True}, "40.00", "40.00"),
        (4000, {"amount_refunded": 4000}, "40.00", "40.00"),
        (3000, {"amount_refunded": 3000, "refunded": False}, "30.00", "30.00"),
        (None, {"amount_refunded": 1000, "amount_captured": 3000}, "30.00", "10.00"),
        (None, {"amount_refunded": 5000}, "80.00", "50.00"),
        (None, None, "80.00", "0.00"),
    ],
)
def test_what_a_partial_capture_let_go_was_not_given_back(
    received: int | None, charge: dict[str, Any] | None, taken: str, given_back: str
) -> None:
    """Some servers count it so, and Stripe did in earlier years."""
    whole = None if charge is None else {"id": "ch_1", "captured": True, "amount": 8000} | charge
    intent = HOLD | {"id": "pi_1", "status": "succeeded", "amount_received": received, "latest_charge": whole}
    facts = intent_facts(intent)
    assert (facts["amount_received"], facts["amount_refunded"]) == (taken, given_back)


def test_sum_is_named_by_a_person_where_a_refund_may_be_what_the_capture_let_go(counter: Counter) -> None:
    def charge(back: int, **more: bool) -> dict[str, Any]:
        return {"id": "ch_1", "captured": True, "amount": 8000, "amount_refunded": back} | more

    def reason(received: int, charge: dict[str, Any], **part: str) -> str | None:
        counter.proposed()
        counter.stripe.intent |= {"status": "succeeded", "amount_received": received, "latest_charge": charge}
        counter.town.run("UPDATE public.payment_transactions SET status = 'completed'")
        return propose_target(
            counter.town.engine, "refund_payment", {"provider_ref": counter.ref} | part,
            actor="kim", as_of=AS_OF, reason="asked", desk=counter.desk,
        ).reason  # fmt: skip

    for received, told in ((4000, charge(4000, refunded=False)), (4000, charge(4000)), (5000, charge(3000))):
        assert "a person must name the sum" in str(reason(received, told))
    assert reason(4000, charge(4000, refunded=False), refund_amount="5") == "kim: asked"
    assert reason(4000, charge(4000, refunded=True)) == "All of it was given back already."
    assert reason(5000, charge(2000)) == "kim: asked"


def test_ids_of_other_servers_may_have_hyphens_but_nothing_that_changes_a_path() -> None:
    assert checked("pi_aB-3_x") == "pi_aB-3_x"
    for bad in ("pi/1", "pi_1?x", "..", "pi_ä", ""):
        with pytest.raises(MalformedObjectError):
            checked(bad)


def test_an_object_that_lacks_what_must_be_known_is_a_failure_and_nobody_is_asked(counter: Counter) -> None:
    bodies: list[Any] = [{"id": "pi_other"}, HOLD | {"amount": "much"}, HOLD | {"currency": None}, []]
    for body in bodies:
        action = counter.proposed()
        counter.stripe.reads = [(200, body)]
        ended = counter.apply(action)
        assert (ended.state, "can't be read" in str(ended.reason)) == ("failed", True), ended
        assert counter.stripe.keys == []


def test_a_404_of_nobody_in_particular_is_no_word_that_the_payment_is_gone(counter: Counter) -> None:
    """A proxy's page between the call and its reading: not settled, not asked again; once it reads, it is settled."""
    action = counter.proposed()
    counter.stripe.reads = [None, None, NOT_FOUND, NOT_FOUND, NOT_FOUND]
    assert counter.apply(action).state == "applying"
    assert counter.apply(action).state == "applying"
    assert counter.apply(action).state == "applying"
    assert len(counter.stripe.keys) == 1
    assert counter.apply(action).state == "verified"
    assert counter.stripe.captured == [8000]


def test_a_page_in_place_of_an_answer_changes_nothing_and_after_five_it_is_a_failure(counter: Counter) -> None:
    for pages, ends in ((4, "verified"), (5, "failed")):
        action = counter.proposed()
        counter.stripe.reads = [(200, "<html>")] * pages
        states = [counter.apply(action).state for _ in range(5)]
        assert states == ["proposed"] * 4 + [ends]
    assert counter.stripe.keys == []


def test_what_can_never_be_read_again_ends_with_a_person(counter: Counter) -> None:
    action = counter.proposed()
    counter.stripe.reads = [None, None, *[NOT_FOUND] * 20]
    states = [counter.apply(action).state for _ in range(7)]
    assert states == ["applying"] * 5 + ["failed"] * 2
    assert len(counter.stripe.keys) == 1
    told = counter.town.run("SELECT reason FROM recon.actions")
    assert "can't be read whether it happened" in told
    assert "A person must look" in told


def test_a_refused_key_changes_nothing_until_it_is_mended(counter: Counter) -> None:
    action = counter.proposed()
    counter.stripe.reads = [refusal(401, None, "invalid_request_error")]
    with pytest.raises(CredentialsError):
        counter.apply(action)
    assert counter.apply(action).state == "verified"
