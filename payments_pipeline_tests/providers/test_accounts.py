"""Several accounts of one provider: configured once each, read side by side, and none of their secrets told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.config import Settings, load_settings
from payments_pipeline.errors import ConfigurationError, CredentialsError, PaymentsPipelineError
from payments_pipeline.ingest.snapshot import snapshot
from payments_pipeline.providers.accounts import Identified, configured_accounts, identified
from payments_pipeline.providers.base import Window
from payments_pipeline.providers.catalogue import build_providers, configured_providers, limiter_of
from payments_pipeline.sandbox.objects import stripe_refund
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState

AS_OF = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
WINDOW = Window(AS_OF - timedelta(days=90), AS_OF)
KEYS = {"eu": "sk_test_hunter2_eu", "us": "sk_test_hunter2_us"}


def state_of(label: str) -> SandboxState:
    """An account with one refund of its own and one whose id the other account has too."""
    state = SandboxState()
    state.stripe.account_id = f"acct_{label}"
    state.stripe.api_keys = {KEYS[label]}
    for name in ("re_same", f"re_{label}"):
        state.stripe.refunds[name] = stripe_refund(
            name,
            {"id": "ch_1", "currency": "usd", "payment_intent": "pi_1"},
            amount=500,
            created=AS_OF - timedelta(minutes=1),
            status="succeeded",
            failure_reason=None,
        )
    return state


@pytest.fixture
def sandboxes() -> Iterator[dict[str, Sandbox]]:
    with Sandbox(state_of("eu")) as eu, Sandbox(state_of("us")) as us:
        yield {"eu": eu, "us": us}


def entry(label: str, base: str = "http://127.0.0.1:9", **more: Any) -> dict[str, Any]:
    return {"provider": "stripe", "name": label, "api_key": KEYS[label], "api_base": base} | more


def settings_of(*entries: dict[str, Any], **values: Any) -> Settings:
    return load_settings(_env_file=None, provider_accounts=entries, **values)


def asked(settings: Settings) -> list[Identified]:
    return identified(build_providers(settings, lambda: AS_OF))


def test_two_accounts_with_two_keys_are_two_accounts_in_the_raw_table(
    engine: Engine, sandboxes: dict[str, Sandbox]
) -> None:
    settings = settings_of(*(entry(label, one.stripe_base) for label, one in sandboxes.items()))
    for provider in build_providers(settings, lambda: AS_OF, engine):
        coverage = snapshot(
            engine,
            provider,
            provider.identify(),
            "refunds",
            WINDOW,
            as_of=AS_OF,
            mode="sweep",
            run_id=None,
            clock=lambda: AS_OF,
        )
        assert coverage.complete
        assert coverage.account == f"acct_{provider.label}"
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT account, object_id FROM recon.stripe_refunds ORDER BY account, object_id")
        ).all()
        limits = connection.execute(text("SELECT count(*) FROM recon.rate_limits")).scalar()
    assert [tuple(row) for row in rows] == [
        ("acct_eu", "re_eu"),
        ("acct_eu", "re_same"),
        ("acct_us", "re_same"),
        ("acct_us", "re_us"),
    ]
    assert limits == 2


def test_the_providers_own_variables_are_the_first_account() -> None:
    settings = settings_of(
        entry("eu", account="acct_eu", calls_per_second=3),
        {"provider": "nowpayments", "name": "shop", "api_key": "np-1"},
        stripe_api_key="sk_test_first",
    )
    found = [(one.provider, one.label, one.account) for one in configured_accounts(settings)]
    assert found == [("stripe", "default", None), ("stripe", "eu", "acct_eu"), ("nowpayments", "shop", None)]
    assert configured_providers(settings) == {"stripe", "nowpayments"}
    assert [(one.name, one.label) for one in build_providers(settings, lambda: AS_OF)] == [
        ("stripe", "default"),
        ("stripe", "eu"),
        ("nowpayments", "shop"),
    ]


def test_accounts_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps([entry("us")]))
    settings = settings_of(entry("eu"), provider_accounts_file=file)
    assert [one.label for one in configured_accounts(settings)] == ["eu", "us"]


@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        ({"name": "eu", "api_key": "sk_test_hunter2_other"}, "Two accounts of stripe are called 'eu'"),
        ({"name": "again"}, "'eu' and 'again' of stripe have the same key"),
        ({"name": "again", "api_key": "sk_test_hunter2_other", "account": "acct_eu"}, "are both acct_eu"),
        ({"name": "default", "api_key": "sk_test_hunter2_other"}, "called 'default'"),
    ],
)
def test_two_configurations_of_one_account_are_refused_before_any_call(second: dict[str, Any], complaint: str) -> None:
    settings = settings_of(entry("eu", account="acct_eu"), entry("eu", **second))
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        build_providers(settings, lambda: AS_OF)
    assert "hunter2" not in str(caught.value)


def test_accounts_of_different_providers_may_share_a_name() -> None:
    settings = settings_of(entry("eu"), {"provider": "nowpayments", "name": "eu", "api_key": "np-1"})
    assert len(configured_accounts(settings)) == 2


def test_two_keys_that_turn_out_to_be_one_account_are_both_refused(sandboxes: dict[str, Sandbox]) -> None:
    eu = sandboxes["eu"]
    eu.state.stripe.api_keys.add(KEYS["us"])
    settings = settings_of(
        entry("eu", eu.stripe_base),
        entry("us", eu.stripe_base),
        stripe_api_key="sk_test_third",
        stripe_api_base=sandboxes["us"].stripe_base,
    )
    sandboxes["us"].state.stripe.api_keys.add("sk_test_third")
    third, *both = asked(settings)
    assert third.account is not None
    assert third.account.account == "acct_us"
    for one in both:
        assert one.account is None
        assert isinstance(one.error, ConfigurationError)
        assert "'eu' and 'us' of stripe are the same account, acct_eu" in str(one.error)


def test_one_account_refused_leaves_the_other_and_the_message_says_whose_key_it_was(
    sandboxes: dict[str, Sandbox],
) -> None:
    sandboxes["us"].state.stripe.api_keys.clear()
    eu, us = asked(settings_of(*(entry(label, one.stripe_base) for label, one in sandboxes.items())))
    assert eu.account is not None
    assert isinstance(us.error, CredentialsError)
    assert "account us in PROVIDER_ACCOUNTS" in str(us.error)
    assert "hunter2" not in str(us.error) + repr(us) + repr(us.error)


def test_a_key_of_another_account_than_the_one_named_is_refused(sandboxes: dict[str, Sandbox]) -> None:
    (one,) = asked(settings_of(entry("eu", sandboxes["eu"].stripe_base, account="acct_us")))
    assert isinstance(one.error, PaymentsPipelineError)
    assert "acct_eu, not to acct_us" in str(one.error)


SECRETS = {"api_key": "hunter2-key", "api_secret": "hunter2-secret", "passphrase": "hunter2-pass"}


def test_secrets_of_accounts_do_not_show() -> None:
    settings = settings_of({"provider": "okx", "name": "desk"} | SECRETS)
    (account,) = configured_accounts(settings)
    (provider,) = build_providers(settings, lambda: AS_OF)
    assert "hunter2" not in repr(settings) + str(settings) + repr(account) + repr(provider)


@pytest.mark.parametrize(
    "written",
    [
        '[{"provider": "stripe", "name": "eu", "api_key": "hunter2"',
        '[{"provider": "stripe", "name": "hunter2 !", "api_key": "hunter2"}]',
        '[{"provider": "hunter2", "name": "eu", "api_key": ["hunter2"]}]',
        '{"hunter2": 1}',
        '"hunter2"',
    ],
)
def test_a_malformed_list_of_accounts_is_named_without_its_secrets(
    written: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROVIDER_ACCOUNTS", written)
    with pytest.raises(ConfigurationError, match=r"(?i)provider_accounts") as caught:
        load_settings(_env_file=None)
    file = tmp_path / "accounts.json"
    file.write_text(written)
    monkeypatch.delenv("PROVIDER_ACCOUNTS")
    with pytest.raises(ConfigurationError, match="PROVIDER_ACCOUNTS_FILE") as told:
        configured_accounts(load_settings(_env_file=None, provider_accounts_file=file))
    for error in (caught.value, told.value):
        assert "hunter2" not in str(error)
        assert error.__cause__ is None
        assert error.__context__ is None


def test_a_list_of_accounts_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        configured_accounts(load_settings(_env_file=None, provider_accounts_file="/nowhere/accounts.json"))


@pytest.mark.parametrize(
    ("key", "values", "rates"),
    [
        ("sk_live_x", {}, (80, 22)),
        ("rk_test_x", {}, (20, 20)),
        ("odd", {}, (20, 20)),
        ("sk_live_x", {"stripe_calls_per_second": 400, "stripe_endpoint_calls_per_second": 90}, (400, 90)),
        ("sk_test_x", {"stripe_calls_per_second": 24}, (24, 24)),
        ("sk_live_x", {"stripe_calls_per_second": 10}, (10, 10)),
    ],
)
def test_rates_follow_the_keys_mode_unless_they_are_set(
    key: str, values: dict[str, Any], rates: tuple[float, float]
) -> None:
    (account,) = configured_accounts(load_settings(_env_file=None, stripe_api_key=key, **values))
    limiter = limiter_of(account)
    assert (limiter.limit.ceiling, limiter.at("charges").limit.ceiling) == rates
