"""The Stripe provider through its official client, against the sandbox and against servers that are odder than it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.errors import (
    ConfigurationError,
    CredentialsError,
    PaymentsPipelineError,
    ResponseError,
    TransientError,
    WrongAccountError,
)
from payments_pipeline.providers.base import Window
from payments_pipeline.providers.catalogue import build_providers, configured_providers
from payments_pipeline.providers.stripe import StripeProvider
from payments_pipeline.sandbox.objects import stripe_charge, stripe_intent
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.providers.conversation import Conversation, conversation

AS_OF = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
WINDOW = Window(AS_OF - timedelta(days=90), AS_OF)
Json = dict[str, Any]


def intent(number: int, *, created: datetime | None = None, status: str = "succeeded") -> Json:
    return stripe_intent(
        f"pi_{number:05}", amount=1000 + number, currency="usd", created=created or AS_OF - timedelta(minutes=number),
        status=status, customer=None, metadata={}, description="plan",
    )  # fmt: skip


def state_of(intents: list[Json]) -> SandboxState:
    state = SandboxState()
    for one in intents:
        charge = stripe_charge(
            "ch" + one["id"][2:], one, created=AS_OF - timedelta(days=1), last4="4242", captured=one["amount"]
        )
        one["latest_charge"] = charge["id"]
        state.stripe.payment_intents[one["id"]] = one
        state.stripe.charges[charge["id"]] = charge
    return state


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with Sandbox(SandboxState()) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    served.load(state_of([intent(number) for number in range(1, 251)]))
    return served


def settings_for(base: str, **values: Any) -> Settings:
    values = {"stripe_api_key": "sk_test_sandbox", "http_timeout_seconds": 2.0, "http_max_attempts": 3} | values
    return load_settings(_env_file=None, stripe_api_base=base, **values)


def provider(base: str, pauses: list[float] | None = None, **values: Any) -> StripeProvider:
    sleep = time.sleep if pauses is None else pauses.append
    return StripeProvider(settings_for(base, **values), lambda: AS_OF, sleep=sleep)


def ids(made: StripeProvider, window: Window = WINDOW) -> list[str]:
    pages = made.resources["payment_intents"].pages(window)
    return [obj["id"] for page in pages for obj in page.objects]


def test_every_intent_comes_once_with_its_charge(sandbox: Sandbox) -> None:
    resource = provider(sandbox.stripe_base).resources["payment_intents"]
    objects = [obj for page in resource.pages(WINDOW) for obj in page.objects]
    assert sorted(obj["id"] for obj in objects) == sorted(sandbox.state.stripe.payment_intents)
    row = dict(zip(resource.spec.columns, resource.row(objects[0]), strict=True))
    assert row["charge_captured"] is True
    assert len(sandbox.requests) == 3


def test_secrets_of_the_intent_are_not_kept(sandbox: Sandbox) -> None:
    resource = provider(sandbox.stripe_base).resources["payment_intents"]
    obj = next(iter(resource.pages(WINDOW))).objects[0]
    assert "client_secret" not in obj
    assert "receipt_url" not in obj["latest_charge"]


def test_the_window_is_half_open(sandbox: Sandbox) -> None:
    edge = AS_OF - timedelta(minutes=10)
    assert ids(provider(sandbox.stripe_base), Window(edge, AS_OF - timedelta(minutes=8))) == ["pi_00009", "pi_00010"]


def test_an_object_created_while_paging_shifts_nothing(sandbox: Sandbox) -> None:
    late = intent(999, created=AS_OF - timedelta(seconds=1), status="processing")

    def create(_provider: str, _path: str, page: int) -> None:
        if page == 2:
            sandbox.state.stripe.payment_intents[late["id"]] = late

    sandbox.faults.on_page = create
    found = ids(provider(sandbox.stripe_base))
    assert len(found) == len(set(found)) == 250


def test_who_we_are(sandbox: Sandbox) -> None:
    account = provider(sandbox.stripe_base, stripe_account="acct_sandbox").identify()
    assert (account.account, account.livemode) == ("acct_sandbox", False)


def test_another_account_than_the_configured_one_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(WrongAccountError, match="acct_sandbox, not to acct_ours"):
        provider(sandbox.stripe_base, stripe_account="acct_ours").identify()


def test_a_wrong_key_is_refused_without_showing_it(sandbox: Sandbox) -> None:
    with pytest.raises(CredentialsError, match="STRIPE_API_KEY") as caught:
        provider(sandbox.stripe_base, stripe_api_key="sk_test_someoneelses").identify()
    assert "someoneelses" not in str(caught.value)
    assert len(sandbox.requests) == 1


def test_a_live_object_behind_a_test_key_is_refused(sandbox: Sandbox) -> None:
    sandbox.state.stripe.payment_intents["pi_00120"]["livemode"] = True
    with pytest.raises(WrongAccountError, match="pi_00120 is in live mode"):
        ids(provider(sandbox.stripe_base))


def test_429_is_waited_out_with_and_without_retry_after(sandbox: Sandbox) -> None:
    pauses: list[float] = []
    sandbox.faults.rate_limit("stripe", page=2, retry_after=4)
    sandbox.faults.rate_limit("stripe", page=3)
    assert len(ids(provider(sandbox.stripe_base, pauses))) == 250
    assert pauses[0] == 4
    assert 0 < pauses[1] < 2


@pytest.mark.parametrize("fault", ["server_error", "cut_body", "invalid_json"])
def test_a_passing_fault_on_page_two_costs_nothing(sandbox: Sandbox, fault: str) -> None:
    getattr(sandbox.faults, fault)("stripe", page=2, times=2)
    assert len(ids(provider(sandbox.stripe_base, []))) == 250


@pytest.mark.parametrize(
    ("fault", "error"),
    [("server_error", TransientError), ("cut_body", TransientError), ("invalid_json", ResponseError)],
)
def test_a_lasting_fault_on_page_two_is_an_error_not_an_end(
    sandbox: Sandbox, fault: str, error: type[PaymentsPipelineError]
) -> None:
    getattr(sandbox.faults, fault)("stripe", page=2, times=None)
    with pytest.raises(error, match="/v1/payment_intents"):
        ids(provider(sandbox.stripe_base, []))


def test_a_hanging_server_is_given_up(sandbox: Sandbox) -> None:
    sandbox.faults.hang("stripe", times=None, seconds=1)
    with pytest.raises(TransientError, match="No answer from Stripe"):
        ids(provider(sandbox.stripe_base, [], http_timeout_seconds=0.1, http_max_attempts=2))


def test_one_object_can_be_read_again(sandbox: Sandbox) -> None:
    resource = provider(sandbox.stripe_base).resources["payment_intents"]
    page = resource.read("pi_00007")
    assert page is not None
    assert page.objects[0]["latest_charge"]["id"] == "ch_00007"
    assert resource.read("pi_gone") is None


@pytest.mark.parametrize(
    ("status", "body", "gone"),
    [
        (404, {"type": "invalid_request_error", "code": "resource_missing", "message": "No such payment_intent"}, True),
        (404, {"type": "invalid_request_error", "message": "No such payment_intent: 'pi_1'"}, True),
        (404, {"type": "invalid_request_error", "message": "Not Found"}, True),
        (404, {"type": "invalid_request_error", "message": "Unrecognized request URL (GET: /v1/x)"}, False),
        (404, {"type": "invalid_request_error", "message": "No such route"}, False),
        (
            404,
            {"code": "resource_missing", "message": "No such intent: 'pi_1'; a similar object exists in live mode"},
            False,
        ),
        (404, b"<html>default backend - 404</html>", False),
        (404, b"404: Not Found", False),
        (404, b"", False),
        (200, b'{"id": "pi_2", "object": "payment_intent"}', False),
        (200, b'{"object": "list", "data": []}', False),
        (200, b"[]", False),
    ],
)  # fmt: skip
def test_only_the_providers_own_words_mean_that_an_object_is_gone(status: int, body: Any, gone: bool) -> None:
    answer = body if isinstance(body, bytes) else orjson.dumps({"error": body})
    with conversation(lambda _path, _query: (status, answer)) as talk:
        resource = provider(talk.base_url).resources["payment_intents"]
        if gone:
            assert resource.read("pi_1") is None
        else:
            with pytest.raises(ResponseError):
                resource.read("pi_1")


def test_a_key_with_a_line_break_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigurationError):
        provider("http://127.0.0.1:9", stripe_api_key="sk_test_1\n2")


def test_a_provider_without_a_key_is_not_built(settings: Settings) -> None:
    assert configured_providers(settings) == frozenset()
    assert build_providers(settings, lambda: AS_OF) == []
    with pytest.raises(ConfigurationError):
        StripeProvider(settings, lambda: AS_OF)


def test_the_catalogue_names_resources_without_loading_any_client() -> None:
    code = (
        "import sys, payments_pipeline.providers.catalogue as c; "
        "print(len(c.SPECS), {'stripe', 'ccxt', 'requests'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "15 set()"


# --- servers that speak the API less well ---


@contextmanager
def lenient(answer: Callable[[str, dict[str, str]], Any]) -> Iterator[Conversation]:
    """A server that has what `answer(path, query)` gives, None being 404."""

    def script(path: str, query: dict[str, str]) -> tuple[int, bytes]:
        body = answer(path, query)
        return (404, b'{"error": {"message": "no such path"}}') if body is None else (200, orjson.dumps(body))

    with conversation(script) as talk:
        yield talk


def test_a_server_without_accounts_is_known_by_the_configured_name() -> None:
    with lenient(lambda _path, _query: None) as talk:
        assert provider(talk.base_url).identify().account == "default"
        assert provider(talk.base_url, stripe_account="acct_x").identify().account == "acct_x"
        assert provider(talk.base_url, stripe_api_key="sk_live_x").identify().livemode is True


def test_an_api_compatible_server_without_that_path_is_known_by_the_configured_name() -> None:
    with conversation(lambda _path, _query: (404, b"404: Not Found")) as talk:
        assert provider(talk.base_url, stripe_account="acct_x").identify().account == "acct_x"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>maintenance</html>", ResponseError),
        (200, b"{}", ResponseError),
        (200, b"[]", ResponseError),
        (400, b'{"error": {"message": "no"}}', ResponseError),
        (404, b"<html>default backend - 404</html>", ResponseError),
        (404, b'{"message": "no route matched"}', ResponseError),
        (404, b"", ResponseError),
        (503, b"<html>maintenance</html>", TransientError),
    ],
)
@pytest.mark.parametrize("expected", [None, "acct_x"])
def test_an_account_that_cannot_be_read_is_never_taken_for_granted(
    status: int, body: bytes, error: type[PaymentsPipelineError], expected: str | None
) -> None:
    with conversation(lambda _path, _query: (status, body)) as talk:
        made = provider(talk.base_url, [], stripe_account=expected)
        with pytest.raises(error):
            made.identify()


def test_a_restricted_key_is_known_by_the_account_that_its_refusal_names() -> None:
    words = "The provided key 'rk_test_*' does not have the required permissions for this endpoint on account 'acct_1'."
    refusal = orjson.dumps({"error": {"type": "invalid_request_error", "message": words}})
    silent = orjson.dumps({"error": {"type": "invalid_request_error", "message": "Not allowed."}})
    answers = {"body": refusal}
    with conversation(lambda _path, _query: (403, answers["body"])) as talk:
        assert provider(talk.base_url).identify().account == "default"
        assert provider(talk.base_url, stripe_account="acct_1").identify().account == "acct_1"
        with pytest.raises(WrongAccountError):
            provider(talk.base_url, stripe_account="acct_2").identify()
        answers["body"] = silent
        with pytest.raises(CredentialsError):
            provider(talk.base_url, stripe_account="acct_1").identify()


def test_a_server_that_ignores_expand_is_asked_for_the_charges_that_matter() -> None:
    listed = [
        {
            "id": f"pi_{n}", "status": status, "currency": "usd", "amount": 5, "created": 1793534000,
            "latest_charge": f"ch_{n}",
        }
        for n, status in enumerate(["requires_capture", "succeeded", "canceled"])
    ]  # fmt: skip

    def answer(path: str, _query: dict[str, str]) -> Any:
        if path == "/v1/payment_intents":
            return {"data": listed, "has_more": False}
        return {"id": "ch_0", "captured": False} if path == "/v1/charges/ch_0" else None

    with lenient(answer) as talk:
        resource = provider(talk.base_url).resources["payment_intents"]
        (page,) = resource.pages(WINDOW)
        rows = [dict(zip(resource.spec.columns, resource.row(obj), strict=True)) for obj in page.objects]
    assert [row["charge_captured"] for row in rows] == [False, None, None]
    assert [row["charge_id"] for row in rows] == ["ch_0", "ch_1", "ch_2"]
    assert [path for path, _, _ in talk.asked] == ["/v1/payment_intents", "/v1/charges/ch_0", "/v1/charges/ch_1"]


def test_a_server_that_ignores_the_created_filter_gives_only_the_window() -> None:
    listed = [{"id": "pi_new", "created": 1793534399}, {"id": "pi_old", "created": 1}, {"id": "pi_odd"}]
    with lenient(lambda _path, _query: {"data": listed, "has_more": False}) as talk:
        assert ids(provider(talk.base_url)) == ["pi_new", "pi_odd"]


def test_a_server_that_repeats_its_page_is_an_error_not_an_endless_loop() -> None:
    listed = [{"id": "pi_1", "created": 1793534000}]
    with (
        lenient(lambda _path, _query: {"data": listed, "has_more": True}) as talk,
        pytest.raises(ResponseError, match="repeats"),
    ):
        ids(provider(talk.base_url))


@pytest.mark.parametrize("answer", [[], {"data": None}, {"data": [], "has_more": True}, {"object": "list"}])
def test_an_answer_that_is_no_list_is_an_error_not_an_empty_account(answer: Any) -> None:
    with lenient(lambda _path, _query: answer) as talk, pytest.raises(ResponseError):
        ids(provider(talk.base_url))


def test_a_server_that_never_says_whether_there_is_more_is_read_to_an_empty_page() -> None:
    listed = [{"id": f"pi_{n}", "created": 1793534000 - n} for n in range(25)]

    def answer(_path: str, query: dict[str, str]) -> Any:
        names = [one["id"] for one in listed]
        first = names.index(query["starting_after"]) + 1 if "starting_after" in query else 0
        return {"data": listed[first : first + 10]}

    with lenient(answer) as talk:
        assert len(ids(provider(talk.base_url))) == 25


def test_one_lone_surrogate_does_not_make_its_page_unreadable() -> None:
    body = b'{"data": [{"id": "pi_1", "created": 1793534000, "description": "\\ud800"}], "has_more": false}'
    with conversation(lambda _path, _query: (200, body)) as talk:
        assert ids(provider(talk.base_url)) == ["pi_1"]


@pytest.mark.parametrize("refusal", [400, 500])
def test_a_server_that_refuses_the_created_filter_is_listed_without_it(refusal: int) -> None:
    listed = [{"id": "pi_new", "created": 1793534399}, {"id": "pi_old", "created": 1}]

    def script(_path: str, query: dict[str, str]) -> tuple[int, bytes]:
        if any(name.startswith("created") for name in query):
            return refusal, b'{"error": {"type": "invalid_request_error", "message": "Unexpected created"}}'
        return 200, orjson.dumps({"data": listed, "has_more": False})

    with conversation(script) as talk:
        assert ids(provider(talk.base_url)) == ["pi_new"]


def test_a_passing_500_does_not_make_us_list_all_that_there_ever_was() -> None:
    asked: list[bool] = []

    def script(_path: str, query: dict[str, str]) -> tuple[int, bytes]:
        asked.append(any(name.startswith("created") for name in query))
        if len(asked) <= 2:
            return 500, b"{}"
        return 200, orjson.dumps({"data": [{"id": "pi_new", "created": 1793534399}], "has_more": not asked[-1]})

    with conversation(script) as talk:
        assert ids(provider(talk.base_url, [], http_max_attempts=2)) == ["pi_new"]
    assert asked.count(False) == 1


@pytest.mark.parametrize(
    ("account", "payments", "live"),
    [
        ({"livemode": True}, [], True),
        ({}, [{"livemode": True}], True),
        ({}, [{"livemode": False}], False),
        ({}, [], False),
    ],
)
def test_a_key_that_does_not_say_its_mode_is_known_by_what_it_opens(
    account: dict[str, Any], payments: list[Any], live: bool
) -> None:
    def answer(path: str, _query: dict[str, str]) -> Any:
        return {"id": "acct_1", **account} if path == "/v1/account" else {"data": payments, "has_more": False}

    with lenient(answer) as talk:
        assert provider(talk.base_url, stripe_api_key="compatible-key").identify().livemode is live
