"""Runs write-back statements that must change exactly one row of the application.

Belongs here: that rule, and statements that several kinds of repair use. Does not belong here: where statements are
found (writeback.py), when they are run (the kinds).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from payments_pipeline.errors import PreconditionError
from payments_pipeline.remediation.kinds import Writeback


def write_one(
    connection: Connection, writeback: Writeback, name: str, values: Mapping[str, object], *, where: str
) -> None:
    """Run the statement.

    Args:
        name: one of `writeback.STATEMENTS`.
        where: what the error names: the payment, the user.

    Raises:
        PreconditionError: it changed no row, or several; the caller's transaction must not be committed.
    """
    written = connection.execute(writeback(name), dict(values)).rowcount
    if written != 1:
        raise PreconditionError(
            f"{name} changed {written} rows, not one.", where=where, remedy="Check the write-back statement."
        )


def set_payment_state(
    connection: Connection,
    writeback: Writeback,
    payment_id: str,
    state: str,
    *,
    at: datetime,
    amount: Decimal | None = None,
    paid_at: str | datetime | None = None,
) -> None:
    """Give the application's payment this canonical state.

    Args:
        at: when it is written.
        amount: what was taken, in major units; None: as it stands.
        paid_at: when the provider says it was paid; None: by the application's row, else `at`.

    Raises:
        PreconditionError: see `write_one`.
    """
    values = {"payment_id": payment_id, "state": state, "amount": amount, "paid_at": paid_at, "at": at}
    write_one(connection, writeback, "set_payment_state", values, where=f"payment {payment_id}")
