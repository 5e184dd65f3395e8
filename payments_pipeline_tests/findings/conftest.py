"""A report over a table of one's own, so that a test says which anomalies exist by writing and removing rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.findings import FindingChanges, refresh
from payments_pipeline.reports import Report, load_reports, materialise
from payments_pipeline_tests.conftest import AS_OF
from payments_pipeline_tests.reports.ledger import Ledger

REPORT = """/*---
title: Things amiss
why: They cost money.
severity: HIGH
what_to_do: Look.
key: [thing]
coverage: {{stripe: [payment_intents, refunds], okx: [deposits]}}
unconfigured: {unconfigured}
action: fix_thing
---*/
SELECT a.thing, a.provider, a.severity, a.user_id, a.payment_id, a.amount, a.currency, a.count, a.seen_at,
    a.provider_ref
FROM public.anomaly AS a
"""


@dataclass
class Desk:
    """Where findings are kept: anomalies come and go, and `refresh` is called as the pipeline would."""

    engine: Engine
    folder: Path
    ledger: Ledger = field(init=False)
    configured: Collection[str] = frozenset({"stripe"})
    unconfigured: str = "judge"

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.engine)

    @property
    def report(self) -> Report:
        (self.folder / "amiss.sql").write_text(REPORT.format(unconfigured=self.unconfigured))
        return load_reports(self.folder)["amiss"]

    def anomaly(self, thing: str, **columns: Any) -> None:
        values = {
            "thing": thing, "provider": "stripe", "user_id": 7, "amount": 20, "currency": "USD", "count": 3,
            "seen_at": AS_OF,
        }  # fmt: skip
        self.ledger.add("public.anomaly", **values | columns)

    def gone(self, *things: str) -> None:
        with self.engine.begin() as connection:
            for thing in things:
                connection.execute(text("DELETE FROM public.anomaly WHERE thing = :thing"), {"thing": thing})

    def materialise(self, as_of: datetime = AS_OF) -> None:
        materialise(self.engine, self.report, as_of=as_of, overrides={}, run_id="run_1")

    def refresh(self, as_of: datetime = AS_OF) -> FindingChanges:
        self.materialise(as_of)
        return refresh(
            self.engine,
            self.report,
            as_of=as_of,
            configured=self.configured,
            ui_url="https://dagster.example.com/",
            run_id="run_1",
        )

    def all(self, sql: str) -> list[Mapping[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(sql)).mappings()]

    def findings(self) -> list[Mapping[str, Any]]:
        return self.all("SELECT * FROM recon.findings ORDER BY finding_id")

    def outbox(self) -> list[Mapping[str, Any]]:
        return self.all("SELECT * FROM recon.notifications ORDER BY notification_id")


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE public.anomaly (thing text, provider text, severity text, user_id bigint, payment_id bigint,"
            " amount numeric, currency text, count integer, seen_at timestamptz, provider_ref text)"
        )
    desk = Desk(engine, tmp_path)
    desk.ledger.read_in_full(stripe=True)
    return desk
