"""Statistics over a world whose figures can be counted by hand, and as tables and charts."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.assets.columns import STATISTICS
from payments_pipeline.config import Settings
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.json_output import STDOUT
from payments_pipeline.present_stats import show_stats
from payments_pipeline.stats import STATS, compute, store
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.duty.conftest import Town

LIFE = """
INSERT INTO plans (id, name, tier, period, price, currency) VALUES (1, 'P', 'pro', 'month', 9, 'USD');
INSERT INTO users (id, username, email) VALUES (1, 'a', 'a@example.com'), (2, 'b', 'b@example.com');
INSERT INTO payment_transactions
(id, user_id, plan_id, payment_method, transaction_id, status, amount, currency, created_at, confirmed_at) VALUES
(1, 1, 1, 'stripe', 'pi_1', 'completed', 9, 'USD', '2026-10-31T10:00Z', '2026-10-31T10:00Z'),
(2, 2, 1, 'stripe', 'pi_2', 'completed', 9, 'USD', '2026-10-31T10:00Z', '2026-10-31T10:00Z');
INSERT INTO subscription_events (user_id, event_type, new_status, payment_id, created_at) VALUES
(1, 'activated', 'active', 1, '2026-10-31T10:00:10Z'), (2, 'activated', 'active', 2, '2026-10-31T10:01:40Z'),
(2, 'activated', 'active', 2, '2026-10-31T12:00:00Z');
INSERT INTO webhook_logs
(payment_method, webhook_type, signature_valid, processing_status, created_at, processed_at, error_message) VALUES
('stripe', 'x', TRUE, 'completed', '2026-10-31T10:00Z', '2026-10-31T10:00:02Z', NULL),
('stripe', 'x', TRUE, 'failed', '2026-10-31T10:00Z', NULL, 'no such user'),
('stripe', 'x', FALSE, 'failed', '2026-10-31T10:00Z', NULL, NULL),
('stripe', 'x', TRUE, 'failed', '2026-10-31T11:00Z', NULL, 'no such user');
"""


def test_waits_and_webhooks_are_counted_as_by_hand(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(LIFE)
    with engine.connect() as connection:
        waits = compute(connection, STATS["time_to_access"], as_of=AS_OF)
        inbox = compute(connection, STATS["webhook_reliability"], as_of=AS_OF)
        reasons = compute(connection, STATS["failure_patterns"], as_of=AS_OF)
        earlier = compute(connection, STATS["webhook_reliability"], as_of=AS_OF - timedelta(days=3))
    assert [(row["payments"], row["p50_seconds"], row["longest_seconds"]) for row in waits] == [(2, 55, 100)]
    assert [(row["webhooks"], row["refused"], row["not_processed"]) for row in inbox] == [(4, 1, 2)]
    assert [(row["reason"], row["times"]) for row in reasons] == [("no such user", 2), ("signature refused", 1)]
    assert earlier == []


def test_success_and_revenue_agree_with_the_canonical_table(town: Town) -> None:
    with town.engine.connect() as connection:
        success = compute(connection, STATS["payment_success"], as_of=AS_OF, days=4000)
        revenue = compute(connection, STATS["revenue"], as_of=AS_OF, days=4000)
        counted = connection.execute(
            text("SELECT count(*) FROM recon.provider_transactions WHERE kind = 'payment'")
        ).scalar_one()
        returned = connection.execute(
            text("SELECT sum(amount) FROM recon.provider_transactions WHERE kind = 'refund' AND state = 'refunded'")
        ).scalar_one()
    assert sum(row["attempts"] for row in success) == counted
    assert all(row["attempts"] == row["succeeded"] + row["failed"] + row["undecided"] for row in success)
    assert sum(row["returned"] for row in revenue) == returned
    assert all(row["net"] == row["received"] - row["returned"] for row in revenue)
    assert {row["method"] for row in success if row["provider"] == "stripe"} <= {"card", "no charge"}


def test_repairs_are_counted_with_the_amounts_they_recovered(town: Town) -> None:
    rows = store(town.engine, STATS["recovered"], as_of=AS_OF + timedelta(days=1))
    with town.engine.connect() as connection:
        verified = connection.execute(text("SELECT count(*) FROM recon.actions WHERE state = 'verified'")).scalar_one()
        stored = connection.execute(text("SELECT sum(repairs) FROM stats.recovered")).scalar_one()
    assert sum(row["repairs"] for row in rows) == verified == stored > 0
    assert any(row["amount"] for row in rows)


def test_the_night_stored_every_statistic(town: Town) -> None:
    with town.engine.connect() as connection:
        tables = connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'stats'")
        ).scalars()
        assert set(tables) == set(STATS)
        columns = connection.execute(
            text(
                "SELECT table_name, array_agg(cast(column_name AS text) ORDER BY ordinal_position) "
                "FROM information_schema.columns WHERE table_schema = 'stats' GROUP BY table_name"
            )
        ).all()
    assert dict(columns) == {name: list(described) for name, described in STATISTICS.items()}


def test_a_table_for_people_all_rows_for_machines_and_a_sentence_for_a_wrong_name(
    town: Town, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    show_stats(town.settings, [], as_of=AS_OF, days=90, json=None)
    shown = capsys.readouterr().out
    assert all(stat.title in shown for stat in STATS.values() if stat.name != "recovered")
    assert "p95 seconds" not in shown
    assert re.search(r"│ stripe .*│ +(\d+ d \d+ h|\d+:\d\d:\d\d) │", shown)  # waits, as people say them
    show_stats(town.settings, [], as_of=AS_OF, days=90, json=STDOUT)
    assert set(json.loads(capsys.readouterr().out)["stats"]) == set(STATS)
    with pytest.raises(ConfigurationError, match="no statistic 'nonsense'"):
        show_stats(settings, ["nonsense"], as_of=AS_OF, days=1, json=None)
