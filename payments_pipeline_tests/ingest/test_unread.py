"""A provider that refuses us from the first day on: the reason can be seen, and nothing of it lingers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from payments_pipeline.errors import CredentialsError
from payments_pipeline.ingest.coverage import UNIDENTIFIED, latest, stored
from payments_pipeline.ingest.unread import certify_unread
from payments_pipeline.providers.base import Window
from payments_pipeline_tests.conftest import AS_OF

WINDOW = Window(AS_OF - timedelta(days=90), AS_OF)
REFUSED = CredentialsError("Stripe refused the key.", remedy="Set STRIPE_API_KEY.")


def refuse(engine: Engine, expected: str | None = None) -> None:
    certify_unread(
        engine, "stripe", "refunds", WINDOW, REFUSED,
        as_of=AS_OF, mode="sweep", run_id=None, clock=lambda: AS_OF, expected=expected,
    )  # fmt: skip


def test_a_key_that_never_worked_is_shown_with_its_reason(engine: Engine) -> None:
    refuse(engine)
    with engine.connect() as connection:
        (shown,) = latest(connection)
    assert (shown.account, shown.complete) == (UNIDENTIFIED, False)
    assert "STRIPE_API_KEY" in (shown.error or "")


@pytest.mark.parametrize("expected", [None, "acct_mistyped"])
def test_once_the_key_works_the_refusal_is_history(engine: Engine, expected: str | None) -> None:
    refuse(engine, expected)
    with engine.begin() as connection:
        (refused,) = latest(connection)
        stored(connection, replace(refused, account="acct_1", complete=True, error=None))
    with engine.connect() as connection:
        assert [(one.account, one.complete) for one in latest(connection)] == [("acct_1", True)]
    refuse(engine, expected)
    with engine.connect() as connection:
        assert [(one.account, one.complete) for one in latest(connection)] == [("acct_1", False)]
