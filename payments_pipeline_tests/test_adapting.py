"""A second, differently named schema runs by its contract folder alone: docs/examples/studio (docs/adapting.md)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from payments_pipeline.db import embedded
from payments_pipeline.db.engine import driver_connection
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.findings import refresh
from payments_pipeline.reconcile import report_rows
from payments_pipeline.remediation.rounds import repair
from payments_pipeline.reports import load_reports, materialise, refresh_intraday
from payments_pipeline_tests.conftest import AS_OF

EXAMPLE = Path(__file__).resolve().parents[1] / "docs" / "examples" / "studio"
ANNA, BERT, CARL = (UUID(int=number) for number in (1, 2, 3))


@pytest.fixture
def studio(server: URL) -> Iterator[Engine]:
    """The studio's database: its own tables, our schema, its contract."""
    engine = create_engine(embedded.fresh_database(server, "studio"))
    with engine.begin() as connection:
        driver_connection(connection).execute((EXAMPLE / "tables.sql").read_bytes())
        fill(connection)
    upgrade(engine, EXAMPLE / "contract")
    yield engine
    engine.dispose()


def fill(connection: object) -> None:
    """Anna paid and never got in; Bert has what he paid for; Carl left the day after he paid."""
    run = connection.execute  # type: ignore[attr-defined]
    run(text("INSERT INTO studio.offers VALUES ('M', 'Monthly', 'gold', 30, 4900, 'eur')"))
    paid = AS_OF - timedelta(days=3)
    for number, (member, live) in enumerate([(ANNA, False), (BERT, True), (CARL, False)], start=1):
        values = {"id": member, "no": number, "paid": paid, "live": live, "nick": f"member{number}"}
        run(text("INSERT INTO studio.members VALUES (:id, :nick, :nick || '@example.com', NULL, FALSE, :paid)"), values)
        if live:
            run(text("INSERT INTO studio.memberships VALUES (:id, 'M', TRUE, :paid, NULL, :paid)"), values)
        run(
            text(
                "INSERT INTO studio.receipts VALUES "
                "(:no, :id, 'M', 'stripe', 'pi_' || :no, 'done', 4900, 'eur', :paid, :paid, :paid)"
            ),
            values,
        )
    run(
        text("INSERT INTO studio.membership_log (member_uuid, what, who, at) VALUES (:id, 'left', 'member', :at)"),
        {"id": CARL, "at": paid + timedelta(days=1)},
    )


def gaps(engine: Engine) -> list[str]:
    report = load_reports()["activation_gaps"]
    materialise(engine, report, as_of=AS_OF, overrides={}, run_id=None)
    refresh(engine, report, as_of=AS_OF, configured=frozenset(), ui_url="http://127.0.0.1:3000", run_id=None)
    with engine.connect() as connection:
        return [row["user_id"] for row in report_rows(connection, "activation_gaps")]


def test_every_report_runs_on_the_studios_tables(studio: Engine) -> None:
    for report in load_reports().values():
        materialise(studio, report, as_of=AS_OF, overrides={}, run_id=None)


def test_reports_between_two_nights_follow_what_the_studio_changes(studio: Engine) -> None:
    reports = load_reports().values()
    for report in reports:
        materialise(studio, report, as_of=AS_OF, overrides={}, run_id=None)
    done = refresh_intraday(studio, reports, as_of=AS_OF + timedelta(minutes=1), overrides={}, run_id=None)
    assert [(one.name, one.how, one.error) for one in done if one.how == "anew" or one.error] == []


def test_only_the_member_who_paid_and_never_got_in_is_a_gap(studio: Engine) -> None:
    assert gaps(studio) == [ANNA]


def test_the_studios_own_statements_let_her_in(studio: Engine) -> None:
    gaps(studio)
    summary = repair(studio, as_of=AS_OF, actor="test", dry_run=False, contract_dir=EXAMPLE / "contract")
    assert (summary.verified, summary.failed, summary.rejected) == (1, 0, 0)
    with studio.connect() as connection:
        row = connection.execute(text("SELECT * FROM studio.memberships WHERE member_uuid = :id"), {"id": ANNA}).one()
        logged = connection.execute(text("SELECT what, who FROM studio.membership_log WHERE receipt_no = 1")).one()
    assert (row.offer_code, row.is_live, row.paid_last) == ("M", True, AS_OF - timedelta(days=3))
    assert logged == ("activated", "test")
    assert gaps(studio) == []


def test_no_reference_table_is_made_beside_the_studios(studio: Engine) -> None:
    with studio.connect() as connection:
        tables = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    assert tables == []
