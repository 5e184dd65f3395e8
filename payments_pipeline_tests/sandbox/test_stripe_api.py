"""The simulated Stripe, read and written by Stripe's own client."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
import stripe

from payments_pipeline.sandbox.failures import FaultPlan, RateLimit
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.sandbox.provider_states import (
    START,
    START_SECONDS,
    card_payment,
    with_hold,
    with_intents,
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def http_client() -> Iterator[stripe.RequestsClient]:
    session = requests.Session()
    yield stripe.RequestsClient(timeout=5, session=session)
    session.close()


@pytest.fixture
def client(sandbox: Sandbox, http_client: stripe.RequestsClient) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.stripe_base}, http_client=http_client)


def get(sandbox: Sandbox, path: str, **params: str) -> requests.Response:
    return requests.get(
        sandbox.stripe_base + path, params=params, headers={"Authorization": "Bearer sk_test_sandbox"}, timeout=5
    )


def test_auto_paging_reads_every_intent_once_newest_first_through_ties(
    sandbox: Sandbox, client: stripe.StripeClient
) -> None:
    sandbox.load(with_intents(250, per_second=40))
    page = client.v1.payment_intents.list({"limit": 100})
    ids = [intent.id for intent in page.auto_paging_iter()]
    assert ids == [f"pi_{number:06d}" for number in reversed(range(250))]
    assert [request.path for request in sandbox.requests] == ["/v1/payment_intents"] * 3


def test_default_page_holds_ten_and_says_that_there_is_more(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.load(with_intents(11))
    page = client.v1.payment_intents.list()
    assert (len(page.data), page.has_more) == (10, True)
    rest = client.v1.payment_intents.list({"starting_after": page.data[-1].id})
    assert ([intent.id for intent in rest.data], rest.has_more) == (["pi_000000"], False)


def test_ending_before_gives_the_page_next_to_the_cursor(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.load(with_intents(20))
    page = client.v1.payment_intents.list({"limit": 3, "ending_before": "pi_000010"})
    assert [intent.id for intent in page.data] == ["pi_000013", "pi_000012", "pi_000011"]
    assert page.has_more


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ({"gte": START_SECONDS + 3, "lt": START_SECONDS + 5}, [4, 3]),
        ({"gt": START_SECONDS + 3, "lte": START_SECONDS + 5}, [5, 4]),
        (START_SECONDS + 2, [2]),
    ],
)
def test_created_range_bounds(
    sandbox: Sandbox, client: stripe.StripeClient, created: object, expected: list[int]
) -> None:
    sandbox.load(with_intents(8))
    page = client.v1.payment_intents.list({"created": created})  # type: ignore[arg-type]
    assert [intent.id for intent in page.data] == [f"pi_{number:06d}" for number in expected]


def test_latest_charge_is_an_id_until_expanded(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.load(with_intents(2))
    plain = client.v1.payment_intents.list().data[0]
    listed = client.v1.payment_intents.list({"expand": ["data.latest_charge"]}).data[0]
    single = client.v1.payment_intents.retrieve("pi_000001", {"expand": ["latest_charge"]})
    assert plain.latest_charge == "ch_000001"
    assert isinstance(listed.latest_charge, stripe.Charge)
    assert isinstance(single.latest_charge, stripe.Charge)
    assert single.latest_charge.amount_captured == 2000


def test_expanding_without_data_in_a_list_is_refused_with_advice(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.load(with_intents(1))
    with pytest.raises(stripe.InvalidRequestError, match=r"try expanding 'data\.latest_charge'"):
        client.v1.payment_intents.list({"expand": ["latest_charge"]})


def test_intents_of_one_customer_page_with_has_more(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.load(with_intents(20))
    page = client.v1.payment_intents.list({"customer": "cus_1", "limit": 2})
    assert [intent.id for intent in page.data] == ["pi_000015", "pi_000008"]
    assert page.has_more
    assert [intent.id for intent in page.auto_paging_iter()][-1] == "pi_000001"


def test_refunds_and_charges_list_filter_and_retrieve(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    state = with_intents(3)
    for number in range(3):
        state.stripe.refunds[f"re_{number}"] = {
            "id": f"re_{number}", "object": "refund", "amount": 500, "currency": "usd", "status": "succeeded",
            "charge": f"ch_{number:06d}", "payment_intent": f"pi_{number:06d}", "created": START_SECONDS + number,
        }  # fmt: skip
    sandbox.load(state)
    assert [refund.id for refund in client.v1.refunds.list().data] == ["re_2", "re_1", "re_0"]
    assert [r.id for r in client.v1.refunds.list({"payment_intent": "pi_000001"}).data] == ["re_1"]
    assert [r.id for r in client.v1.refunds.list({"charge": "ch_000002"}).data] == ["re_2"]
    assert client.v1.refunds.retrieve("re_0").amount == 500
    assert [c.id for c in client.v1.charges.list({"payment_intent": "pi_000001"}).data] == ["ch_000001"]
    assert client.v1.charges.retrieve("ch_000002").captured is True


def test_object_created_while_paging_does_not_shift_the_next_page(
    sandbox: Sandbox, client: stripe.StripeClient
) -> None:
    state = with_intents(6)
    sandbox.load(state)
    first = client.v1.payment_intents.list({"limit": 3})
    intent, charge = card_payment(99, created=START_SECONDS + 100)
    with state.lock:
        state.stripe.payment_intents["pi_000099"], state.stripe.charges["ch_000099"] = intent, charge
    second = client.v1.payment_intents.list({"limit": 3, "starting_after": first.data[-1].id})
    assert [intent.id for intent in second.data] == ["pi_000002", "pi_000001", "pi_000000"]
    assert client.v1.payment_intents.list({"limit": 1}).data[0].id == "pi_000099"


def test_account_names_the_configured_id(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.load(SandboxState())
    assert client.v1.accounts.retrieve_current().id == "acct_sandbox"
    assert client.v1.balance.retrieve().livemode is False


def test_wrong_key_and_expired_key_are_401_and_another_account_403(
    sandbox: Sandbox, http_client: stripe.RequestsClient
) -> None:
    state = SandboxState()
    state.stripe.expired_keys.add("sk_test_expired0001")
    sandbox.load(state)

    def client(key: str, account: str | None = None) -> stripe.StripeClient:
        return stripe.StripeClient(
            key, stripe_account=account, base_addresses={"api": sandbox.stripe_base}, http_client=http_client
        )

    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key provided"):
        client("sk_test_nobody0001").v1.refunds.list()
    with pytest.raises(stripe.AuthenticationError) as expired:
        client("sk_test_expired0001").v1.refunds.list()
    assert expired.value.http_status == 401
    assert expired.value.json_body["error"]["code"] == "api_key_expired"  # type: ignore[index]
    with pytest.raises(stripe.PermissionError) as foreign:
        client("sk_test_sandbox", "acct_other").v1.refunds.list()
    assert foreign.value.json_body["error"]["code"] == "account_invalid"  # type: ignore[index]
    missing = requests.get(f"{sandbox.stripe_base}/v1/refunds", timeout=5)
    assert (missing.status_code, missing.json()["error"]["type"]) == (401, "invalid_request_error")
    basic = requests.get(f"{sandbox.stripe_base}/v1/refunds", auth=("sk_test_sandbox", ""), timeout=5)
    assert basic.status_code == 200


def test_unknown_id_is_404_and_unknown_cursor_400_both_resource_missing(
    sandbox: Sandbox, client: stripe.StripeClient
) -> None:
    sandbox.load(with_intents(1))
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.payment_intents.retrieve("pi_none")
    assert (missing.value.http_status, missing.value.code, missing.value.param) == (
        404,
        "resource_missing",
        "intent",
    )
    assert str(missing.value.request_id).startswith("req_")
    with pytest.raises(stripe.InvalidRequestError) as cursor:
        client.v1.payment_intents.list({"starting_after": "pi_none"})
    assert (cursor.value.http_status, cursor.value.code) == (400, "resource_missing")


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"limit": "0"}, "parameter_invalid_integer", "limit"),
        ({"limit": "101"}, "parameter_invalid_integer", "limit"),
        ({"limit": "many"}, "parameter_invalid_integer", "limit"),
        ({"status": "succeeded"}, "parameter_unknown", "status"),
        ({"created[since]": "1"}, "parameter_unknown", "created[since]"),
        ({"created[gte]": "yesterday"}, "parameter_invalid_integer", "created[gte]"),
        ({"starting_after": ""}, "parameter_invalid_empty", "starting_after"),
    ],
)
def test_bad_parameters_are_400_and_named(sandbox: Sandbox, params: dict[str, str], code: str, param: str) -> None:
    sandbox.load(with_intents(1))
    answer = get(sandbox, "/v1/payment_intents", **params)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (code, param)


def test_unknown_url_is_told(sandbox: Sandbox) -> None:
    answer = get(sandbox, "/v1/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith("Unrecognized request URL (GET: /v1/nothing)")


def test_hold_is_captured_in_part(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.load(with_hold(capture_before=START + timedelta(days=7)))
    captured = client.v1.payment_intents.capture("pi_000000", {"amount_to_capture": 1500, "expand": ["latest_charge"]})
    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 1500, 0)
    assert isinstance(captured.latest_charge, stripe.Charge)
    assert (captured.latest_charge.captured, captured.latest_charge.amount_captured) == (True, 1500)
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.payment_intents.capture("pi_000000")
    assert again.value.code == "payment_intent_unexpected_state"
    assert "already been captured" in str(again.value)


def test_capture_of_too_much_or_too_late_is_refused(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.load(with_hold(capture_before=START + timedelta(days=7)))
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        client.v1.payment_intents.capture("pi_000000", {"amount_to_capture": 2001})
    assert too_much.value.code == "amount_too_large"
    sandbox.load(with_hold(capture_before=START + timedelta(hours=1)))
    with pytest.raises(stripe.InvalidRequestError) as too_late:
        client.v1.payment_intents.capture("pi_000000")
    assert too_late.value.code == "capture_charge_authorization_expired"


def test_cancelled_hold_is_released_and_cannot_be_captured(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.load(with_hold(capture_before=START + timedelta(days=7)))
    canceled = client.v1.payment_intents.cancel("pi_000000", {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert canceled.canceled_at == int((START + timedelta(days=1)).timestamp())
    with pytest.raises(stripe.InvalidRequestError, match="has a status of canceled"):
        client.v1.payment_intents.capture("pi_000000")
    with pytest.raises(stripe.InvalidRequestError, match="You cannot cancel this PaymentIntent"):
        client.v1.payment_intents.cancel("pi_000000")


def test_idempotency_key_replays_the_stored_answer_and_guards_its_parameters(
    sandbox: Sandbox, client: stripe.StripeClient
) -> None:
    sandbox.load(with_hold(capture_before=START + timedelta(days=7)))
    first = client.v1.payment_intents.capture("pi_000000", options={"idempotency_key": "k1"})
    second = client.v1.payment_intents.capture("pi_000000", options={"idempotency_key": "k1"})
    assert second.to_dict() == first.to_dict()
    assert first.last_response is not None
    assert second.last_response is not None
    headers = second.last_response.headers
    assert headers["Idempotent-Replayed"] == "true"
    assert headers["Original-Request"] == first.last_response.headers["Request-Id"]
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        client.v1.payment_intents.capture("pi_000000", {"amount_to_capture": 5}, options={"idempotency_key": "k1"})


def test_refused_parameters_are_not_stored_under_the_key(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.load(with_hold(capture_before=START + timedelta(days=7)))
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.cancel(
            "pi_000000", {"cancellation_reason": "bored"},
            options={"idempotency_key": "k2"},
        )  # fmt: skip
    done = client.v1.payment_intents.cancel("pi_000000", options={"idempotency_key": "k2"})
    assert done.status == "canceled"


def test_stored_500_is_replayed_although_the_capture_happened(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    plan = FaultPlan()
    plan.server_error("stripe", "/v1/payment_intents/", method="POST", applied=True, stored=True)
    sandbox.load(with_hold(capture_before=START + timedelta(days=7)), plan)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            client.v1.payment_intents.capture("pi_000000", options={"idempotency_key": "k3"})
    assert client.v1.payment_intents.retrieve("pi_000000").status == "succeeded"


def test_calls_above_the_rate_limit_get_429_with_its_reason(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    sandbox.load(with_intents(1), FaultPlan(limits={"stripe": RateLimit(2, seconds=60)}))
    client.v1.refunds.list()
    client.v1.refunds.list()
    with pytest.raises(stripe.RateLimitError) as limited:
        client.v1.refunds.list()
    assert limited.value.headers is not None
    assert limited.value.headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    assert "Retry-After" not in limited.value.headers
