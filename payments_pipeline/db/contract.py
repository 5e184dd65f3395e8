"""The contract: views through which the application's own tables are read, and the columns each must offer."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
from sqlalchemy import Connection, text

from payments_pipeline.db.engine import driver_connection
from payments_pipeline.db.sql import named, read_sql, sql_root
from payments_pipeline.errors import SchemaError

# View -> columns that reports, repairs and links rely on. Other columns are welcome and ignored.
CONTRACT: dict[str, tuple[str, ...]] = {
    "app_plans": ("plan_id", "plan_name", "tier", "period", "price", "currency", "stripe_price_id"),
    "app_users": (
        "user_id", "username", "email", "subscription_status", "has_access", "subscription_tier", "plan_id",
        "last_payment_date", "payment_due_date", "subscription_renewal_date", "subscription_updated_at",
        "stripe_customer_id", "trial_ends_at", "access_override_until", "is_internal", "created_at", "updated_at",
    ),
    "app_payments": (
        "payment_id", "user_id", "plan_id", "booking_id", "provider", "provider_ref", "status", "amount", "currency",
        "crypto_currency", "crypto_amount", "deposit_address", "deposit_tag", "network", "tx_hash", "received_amount",
        "created_at", "expires_at", "confirmed_at", "updated_at",
    ),
    "app_bookings": (
        "booking_id", "user_id", "payee_id", "starts_at", "ends_at", "actual_start", "status", "price", "currency",
        "cancelled_by", "cancel_reason", "updated_at",
    ),
    "app_payouts": (
        "payout_id", "payee_id", "booking_id", "amount", "currency", "method", "stripe_transfer_id",
        "paypal_batch_id", "status", "error", "created_at", "paid_at", "updated_at",
    ),
    "app_webhook_logs": (
        "webhook_id", "provider", "webhook_type", "webhook_data", "signature_valid", "processing_status",
        "error_message", "user_id", "payment_id", "plan_id", "created_at", "processed_at", "event_ref", "object_ref",
    ),
    "app_subscription_events": (
        "event_id", "user_id", "event_type", "old_status", "new_status", "old_tier", "new_tier", "plan_id",
        "payment_id", "reason", "actor", "created_at", "ends_access",
    ),
}  # fmt: skip

# Views of ours that rest on contract views, or on one before them: re-created in this order, from sql/canonical/.
DERIVED = ("plan_terms", "access_since", "payment_verdicts", "payment_objects", "payment_retries")


def apply_contract(connection: Connection, contract_dir: Path | None) -> list[str]:
    """(Re)create the contract views that changed since they were last applied.

    Args:
        connection: in a transaction; the caller commits. DDL and the check of columns succeed or fail together.
        contract_dir: the company's own views; None: the shipped ones, whose reference tables are created if absent.

    Returns:
        Names of the views written.

    Raises:
        SchemaError: a file is missing, its SQL fails, or a view lacks a column; names view, column and file.
    """
    folder = contract_dir or sql_root() / "contract"
    if contract_dir is None:
        _run(connection, read_sql("reference/application.sql"), "sql/reference/application.sql")
    written = [view for view in CONTRACT if _refresh(connection, view, folder / f"{view}.sql")]
    sources = {view: read_sql(f"canonical/{view}.sql") for view in DERIVED}
    if written or any(_stored_digest(connection, view) != _digest(source) for view, source in sources.items()):
        _drop_derived(connection)
        for view, source in sources.items():
            _run(connection, source, f"sql/canonical/{view}.sql")
            _store_digest(connection, view, source)
            written.append(view)
    return written


def missing_columns(connection: Connection, view: str) -> list[str]:
    """Columns that the contract asks of `view` and the database does not have; all of them when there is no view."""
    rows = connection.execute(named("contract/check/columns.sql"), {"view": view})
    present = {row.column_name for row in rows}
    return [column for column in CONTRACT[view] if column not in present]


def _refresh(connection: Connection, view: str, path: Path) -> bool:
    source = _source(view, path)
    if _stored_digest(connection, view) == _digest(source) and not missing_columns(connection, view):
        return False
    _drop_derived(connection)
    connection.execute(text(f"DROP VIEW IF EXISTS recon.{view}"))  # view: one of our seven constants
    _run(connection, source, str(path))
    missing = missing_columns(connection, view)
    if missing:
        raise SchemaError(
            f"Contract view recon.{view} lacks {', '.join(missing)}.",
            where=str(path),
            remedy="Add the columns to the view's SELECT; docs/adapting.md says what each means.",
        )
    _store_digest(connection, view, source)
    return True


def _drop_derived(connection: Connection) -> None:
    """Those that rest on others first."""
    for view in reversed(DERIVED):
        connection.execute(text(f"DROP VIEW IF EXISTS recon.{view}"))


def _source(view: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        what = f"Contract view {view} has no file"
        remedy = (
            "Write it: see docs/adapting.md."
            if path.parent.is_dir()
            else "CONTRACT_DIR names no folder: docs/adapting.md."
        )
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        what = f"The file of contract view {view} can't be read: {why}"
        remedy = "Let the user that we run as read the folder that CONTRACT_DIR names, and what is in it."
    raise SchemaError(f"{what}.", where=str(path), remedy=remedy)


def _digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def _stored_digest(connection: Connection, view: str) -> str | None:
    return connection.execute(named("contract/check/digest.sql"), {"view": view}).scalar()


def _store_digest(connection: Connection, view: str, source: str) -> None:
    connection.execute(named("contract/check/store_digest.sql"), {"view": view, "digest": _digest(source)})


def _run(connection: Connection, source: str, where: str) -> None:
    try:
        driver_connection(connection).execute(source.encode())
    except psycopg.Error as error:
        raise SchemaError(
            f"SQL of the contract failed: {str(error).splitlines()[0]}.",
            where=where,
            remedy="If your application has tables of its own, set CONTRACT_DIR: see docs/adapting.md.",
        ) from error
