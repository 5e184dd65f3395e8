"""The asset that matches deposits: under the tolerances of the settings, and with its counts in the UI."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import dagster as dg
import pytest
from sqlalchemy import Engine, text

from payments_pipeline.assets.deposit_matches import deposit_matches
from payments_pipeline.config import Settings
from payments_pipeline.local_instance import in_memory
from payments_pipeline.resources import default_resources
from payments_pipeline_tests.conftest import AS_OF

PAYMENT = text(
    "INSERT INTO public.payment_transactions (payment_method, status, amount, currency, crypto_currency, crypto_amount,"
    " deposit_address, created_at) VALUES ('okx', 'pending', 20, 'USD', 'USDT', 20, 'T1', :at)"
)
DEPOSIT = text(
    "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, livemode, state, raw_status,"
    " amount, currency, deposit_address, provider_created_at, state_changed_at, read_at)"
    " VALUES ('okx', '1', 'd1', 'deposit', TRUE, 'paid', '2', 19.9, 'USDT', 'T1', :at, :at, :at)"
)


@pytest.mark.parametrize(("by_coin", "outcome"), [({}, "full"), ({"USDT": Decimal("0.001")}, "short")])
def test_deposits_are_matched_under_the_tolerance_of_their_coin(
    engine: Engine, settings: Settings, by_coin: dict[str, Decimal], outcome: str
) -> None:
    with engine.begin() as connection:
        for statement in (PAYMENT, DEPOSIT):
            connection.execute(statement, {"at": AS_OF - timedelta(hours=1)})
    strict = settings.model_copy(update={"deposit_tolerance_by_coin": by_coin})
    with in_memory() as instance:
        result = dg.materialize([deposit_matches], instance=instance, resources=default_resources(strict, AS_OF))
    (made,) = result.asset_materializations_for_node("deposit_matches")
    assert (made.metadata["judged_matched"].value, made.metadata["dagster/row_count"].value) == (1, 1)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT outcome FROM recon.deposit_matches")).scalar() == outcome
