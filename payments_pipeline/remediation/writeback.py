"""Finds the write-back statements: the only SQL that changes the application's tables.

Belongs here: where they are and which there must be. Does not belong here: running them (the action kinds do). They
stand beside the contract views; a company with other tables puts files of the same names into CONTRACT_DIR/writeback/.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import TextClause, text

from payments_pipeline.db.sql import sql_root
from payments_pipeline.errors import SchemaError

STATEMENTS = (
    "lock_user",
    "activate_user",
    "insert_subscription_event",
    "lock_payment",
    "lock_booking",
    "set_payment_state",
    "cancel_booking",
    "lock_payment_row",
    "revoke_user",
    "confirm_crypto_payment",
    "lock_payout",
    "set_payout_state",
)


def writeback(name: str, contract_dir: Path | None) -> TextClause:
    """One statement with named parameters; its file's first lines say which.

    Args:
        name: one of STATEMENTS.
        contract_dir: the company's own contract; None: the shipped one. One is never filled up from the other, because
            the shipped statements fit the reference tables only.

    Raises:
        SchemaError: the file is missing.
    """
    path = (contract_dir or sql_root() / "contract") / "writeback" / f"{name}.sql"
    if name not in STATEMENTS or not path.is_file():
        raise SchemaError(
            f"Write-back statement {name} has no file.",
            where=str(path),
            remedy="Copy sql/contract/writeback/ into CONTRACT_DIR and fit it to your tables: see docs/adapting.md.",
        )
    return text(path.read_text(encoding="utf-8"))
