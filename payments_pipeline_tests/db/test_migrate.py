"""`db upgrade` is safe to repeat, safe when two run at once, and refuses what it does not understand."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from payments_pipeline.core.states import State
from payments_pipeline.db import embedded
from payments_pipeline.db.contract import CONTRACT, missing_columns
from payments_pipeline.db.migrate import current_revision, require_current, upgrade
from payments_pipeline.db.sql import sql_root
from payments_pipeline.errors import SchemaError


@contextmanager
def empty_database(server: URL, name: str) -> Iterator[Engine]:
    engine = create_engine(embedded.ensure_database(server, name))
    yield engine
    engine.dispose()


def test_four_upgrades_at_once_migrate_an_empty_database_once(server: URL) -> None:
    with empty_database(server, "upgrade_race") as engine:
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: upgrade(engine), range(4)))
        assert sorted(bool(lines) for lines in done) == [False, False, False, True]
        assert upgrade(engine) == []
        with engine.connect() as connection:
            require_current(connection)
            assert all(not missing_columns(connection, view) for view in CONTRACT)


def test_an_unmigrated_database_is_refused_with_the_command_that_helps(server: URL) -> None:
    with (
        empty_database(server, "never_upgraded") as engine,
        engine.connect() as connection,
        pytest.raises(SchemaError, match="payments-pipeline db upgrade"),
    ):
        require_current(connection)


def test_a_database_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE recon.schema_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="9999"):
        upgrade(engine)
    with engine.connect() as connection:
        assert current_revision(connection) == "9999"


def test_a_contract_view_without_a_needed_column_is_named_and_nothing_changes(engine: Engine, tmp_path: Path) -> None:
    for view in CONTRACT:
        (tmp_path / f"{view}.sql").write_text(f"CREATE VIEW recon.{view} AS SELECT 1 AS {CONTRACT[view][0]}")
    with pytest.raises(SchemaError, match=r"recon\.app_plans lacks plan_name.*docs/adapting\.md"):
        upgrade(engine, tmp_path)
    with engine.connect() as connection:
        assert missing_columns(connection, "app_plans") == []


def test_a_contract_folder_without_a_file_says_which(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"app_plans.*has no file"):
        upgrade(engine, tmp_path)


def test_broken_contract_sql_is_reported_with_its_file(engine: Engine, tmp_path: Path) -> None:
    for view in CONTRACT:
        (tmp_path / f"{view}.sql").write_text("CREATE VIEW oops")
    with pytest.raises(SchemaError, match=r"syntax error.*app_plans\.sql"):
        upgrade(engine, tmp_path)


def test_foreign_tables_under_our_names_are_not_touched(server: URL) -> None:
    with empty_database(server, "foreign_tables") as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE public.users (uid uuid PRIMARY KEY)"))
        with pytest.raises(SchemaError, match="CONTRACT_DIR"):
            upgrade(engine)
        with engine.connect() as connection:
            tables = (
                connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
            )
        assert tables == ["users"]


def test_every_mapped_status_has_a_state_we_know(engine: Engine) -> None:
    with engine.connect() as connection:
        states = set(connection.execute(text("SELECT DISTINCT state FROM recon.state_map")).scalars())
    assert states <= {state.value for state in State}


def test_invoices_of_what_is_stored_are_read_from_the_providers_own_words(engine: Engine) -> None:
    bodies = {
        "nowpayments": ['{"invoice_id": 900}', '{"invoice_id": null}', r'{"invoice_id": "900", "note": "\u0000"}'],
        "stripe": ['{"invoice": "in_1"}', '{"invoice": {"id": "in_2"}}', '{"invoice": null}'],
    }
    money = "status, price_amount, price_currency) VALUES ('1', TRUE, {id}, now(), now(), 1, '', 1, 'usd')"
    intent = "status, currency, amount, amount_received, amount_capturable) VALUES ('1', TRUE, {id}, now(), now(), 1,"
    into = {
        "nowpayments": ("nowpayments_payments", "payments", money),
        "stripe": ("stripe_payment_intents", "payment_intents", intent + " '', 'USD', 1, 1, 0)"),
    }
    columns = "account, livemode, object_id, created_at, read_at, digest,"
    found = {}
    with engine.begin() as connection:
        for provider, (table, resource, rest) in into.items():
            connection.exec_driver_sql(f"ALTER TABLE recon.{table} DROP COLUMN invoice_id")
            for number, body in enumerate(bodies[provider]):
                values = rest.format(id=f"'{number}'")
                connection.exec_driver_sql(f"INSERT INTO recon.{table} ({columns} {values}")
                kept = {"provider": provider, "resource": resource, "id": str(number), "body": body}
                connection.execute(
                    text("INSERT INTO recon.raw_json VALUES (:provider, '1', :resource, :id, :body, now())"), kept
                )
        connection.exec_driver_sql(
            (sql_root() / "migrations/versions/0024_invoices.sql").read_text().replace("%", "%%")
        )
        for provider, (table, _, _) in into.items():
            query = f"SELECT invoice_id FROM recon.{table} ORDER BY object_id"  # noqa: S608
            found[provider] = connection.exec_driver_sql(query).scalars().all()
    assert found == {"nowpayments": ["900", None, None], "stripe": ["in_1", "in_2", None]}
