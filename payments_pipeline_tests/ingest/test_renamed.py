"""Payments are not stored a second time because the log-in or the key, and with it the account's id, changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.config import Settings
from payments_pipeline.ingest.across import Run, catch_up
from payments_pipeline.ingest.renamed import unless_renamed
from payments_pipeline.providers.accounts import Identified, identified
from payments_pipeline.providers.base import Account
from payments_pipeline.providers.catalogue import build_providers
from payments_pipeline.sandbox.objects import nowpayments_payment
from payments_pipeline.sandbox.server import Sandbox
from payments_pipeline.sandbox.state import SandboxState
from payments_pipeline_tests.ingest.served import NOW, configured, empty, fill, read, stripe

NEW = "new@example.com"


@pytest.fixture
def engine(shared_engine: Engine) -> Iterator[Engine]:
    yield shared_engine
    empty(shared_engine)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxState(clock=lambda: NOW)) as running:
        made = NOW - timedelta(days=1)
        running.state.nowpayments.payments["5000000001"] = nowpayments_payment(
            "5000000001", status="finished", price=Decimal(10), price_currency="usd", pay_amount=Decimal(10),
            actually_paid=Decimal(10), order_id="o1", address="TAddress", tx_hash=None, created=made, updated=made,
        )  # fmt: skip
        yield running


def _settings(sandbox: Sandbox, **changes: Any) -> Settings:
    return configured(sandbox, stripe_api_key=None, okx_api_key=None, **changes)


def _read(engine: Engine, settings: Settings) -> list[str | None]:
    """Read the account; what is said of it, None where nothing is wrong."""
    return [
        one.problem for one in catch_up(Run(engine, NOW, None, lambda: NOW), build_providers(settings, lambda: NOW))
    ]


def _accounts(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT account FROM recon.nowpayments_payments")).scalars())


def _with_new_log_in(sandbox: Sandbox, engine: Engine, **changes: Any) -> Settings:
    """What is configured after a first reading and a change of the log-in's e-mail."""
    assert _read(engine, _settings(sandbox)) == [None]
    sandbox.state.nowpayments.email = NEW
    return _settings(sandbox, **({"nowpayments_email": NEW} | changes))


def test_a_changed_log_in_is_refused_with_a_remedy_and_nothing_is_stored_twice(
    engine: Engine, sandbox: Sandbox
) -> None:
    settings = _with_new_log_in(sandbox, engine)
    (problem,) = _read(engine, settings)
    assert problem is not None
    assert "set NOWPAYMENTS_ACCOUNT to np_" in problem
    assert len(_accounts(engine)) == 1


def test_a_new_account_that_is_configured_by_its_id_is_read(engine: Engine, sandbox: Sandbox) -> None:
    settings = _with_new_log_in(sandbox, engine)
    (provider,) = build_providers(settings, lambda: NOW)
    named = settings.model_copy(update={"nowpayments_account": provider.identify().account})
    assert _read(engine, named) == [None]
    assert len(set(_accounts(engine))) == 2


def test_another_account_than_nowpayments_account_says_is_refused(engine: Engine, sandbox: Sandbox) -> None:
    (problem,) = _read(engine, _settings(sandbox, nowpayments_account="np_00000000"))
    assert problem is not None
    assert "expected is np_00000000" in problem
    assert _accounts(engine) == []


def test_a_second_account_beside_the_stored_one_is_read(engine: Engine, sandbox: Sandbox) -> None:
    _read(engine, _settings(sandbox))
    with Sandbox(SandboxState(clock=lambda: NOW)) as second:
        second.state.nowpayments.email, second.state.nowpayments.api_key = NEW, "np-second"
        merchant = second.state.nowpayments
        entry = {
            "provider": "nowpayments", "name": "shop", "api_key": merchant.api_key, "email": NEW,
            "password": merchant.password, "api_base": second.nowpayments_base,
        }  # fmt: skip
        both = _settings(sandbox, provider_accounts=[entry])
        assert _read(engine, both) == [None, None]
        sandbox.state.nowpayments.password = "changed"  # the stored one does not answer: it may be no other than that
        asked = identified(build_providers(both, lambda: NOW))
        assert [one.account is None for one in unless_renamed(engine, asked)] == [True, False]


@pytest.mark.parametrize(("before", "now", "remedy"), [
    ("acct_1", "default", "Set STRIPE_ACCOUNT to acct_1."),
    ("default", "acct_1", "Set STRIPE_ACCOUNT to acct_1, and delete the rows of default."),
    ("acct_1", "acct_2", None),
])  # fmt: skip
def test_a_stripe_key_that_may_not_tell_its_account_does_not_make_another_account_of_it(
    engine: Engine, sandbox: Sandbox, before: str, now: str, remedy: str | None
) -> None:
    fill(sandbox)
    provider = stripe(sandbox, stripe_account=None)
    read(engine, provider, account=Account("stripe", before, False))
    assert unless_renamed(engine, [Identified(provider, Account("stripe", before, False), None)])[0].error is None
    (judged,) = unless_renamed(engine, [Identified(provider, Account("stripe", now, False), None)])
    assert (judged.error and judged.error.remedy) == remedy
