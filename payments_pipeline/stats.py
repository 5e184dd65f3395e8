"""Analytics: how payments, webhooks, access and repairs did over the last days. Figures, not anomalies.

Belongs here: the list of statistics, computing one, storing it as a table. Does not belong here: how assets or the
terminal show them. Each is one query in `sql/stats/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import sql as pg
from sqlalchemy import Connection, Engine, text

from payments_pipeline.core.likeness import did_you_mean
from payments_pipeline.db.sql import named, read_sql
from payments_pipeline.errors import ConfigurationError

SCHEMA = "stats"
DAYS = 30


@dataclass(frozen=True)
class Stat:
    """One statistic.

    Attributes:
        name: its query in `sql/stats/`, its table in schema stats, its asset.
        tables: what it reads, as asset keys.
        x, y, by: columns of its chart: along the bottom, upwards, one line or bar each; by None: one only.
    """

    name: str
    title: str
    tables: tuple[str, ...]
    x: str
    y: str
    by: str | None = None


STATS: Mapping[str, Stat] = {
    stat.name: stat
    for stat in (
        Stat(
            "payment_success", "Payments that came to money, by provider and method",
            ("provider_transactions", "stripe_charges"), "method", "percent", "provider",
        ),
        Stat(
            "time_to_access", "From payment to access", ("app_payments", "app_subscription_events"),
            "provider", "p95_seconds",
        ),
        Stat(
            "webhook_reliability", "What became of webhooks", ("app_webhook_logs",), "day", "percent_processed",
            "provider",
        ),
        Stat(
            "failure_patterns", "Why payments and webhooks fail",
            ("stripe_charges", "provider_transactions", "app_webhook_logs"), "reason", "times",
        ),
        Stat("revenue", "Money in and money returned, by day", ("provider_transactions",), "day", "net", "currency"),
        Stat("recovered", "What repairs brought in order", ("findings",), "kind", "repairs"),
    )
}  # fmt: skip


def statistic(name: str) -> Stat:
    """The statistic of this name.

    Raises:
        ConfigurationError: there is none; the remedy lists the names.
    """
    if name not in STATS:
        raise ConfigurationError(
            f"There is no statistic {name!r}.",
            where="stats",
            remedy=did_you_mean(name, STATS, f"One of {', '.join(STATS)}."),
        )
    return STATS[name]


def compute(connection: Connection, stat: Stat, *, as_of: datetime, days: int = DAYS) -> list[dict[str, Any]]:
    """The rows of a statistic over the `days` before `as_of`; amounts are exact, times in UTC."""
    values = {"since": as_of - timedelta(days=days), "as_of": as_of}
    return [dict(row) for row in connection.execute(named(f"stats/{stat.name}.sql"), values).mappings()]


def store(engine: Engine, stat: Stat, *, as_of: datetime, days: int = DAYS) -> Sequence[Mapping[str, Any]]:
    """Replace the statistic's table `stats.<name>`; readers see the old one until the new one is complete."""
    table = pg.Identifier(SCHEMA, stat.name)
    with engine.begin() as connection:
        connection.exec_driver_sql(pg.SQL("DROP TABLE IF EXISTS {}").format(table).as_string())
        made = pg.SQL("CREATE TABLE {} AS ").format(table).as_string() + read_sql(f"stats/{stat.name}.sql").rstrip(
            "; \n"
        )
        connection.execute(text(made), {"since": as_of - timedelta(days=days), "as_of": as_of})
        rows = connection.exec_driver_sql(pg.SQL("SELECT * FROM {}").format(table).as_string()).mappings()
        return [dict(row) for row in rows]
