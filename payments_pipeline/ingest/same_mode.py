"""Refuses to mix live and test money in one account's tables.

Belongs here: the comparison with what was read before. Does not belong here: asking the provider (`identify`).
"""

from __future__ import annotations

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.errors import WrongAccountError
from payments_pipeline.providers.base import Account


def assert_same_mode(connection: Connection, account: Account) -> None:
    """Fail before anything is written when this account was read in the other mode: Stripe's id is the same in both.

    Raises:
        WrongAccountError: it was.
    """
    names = {"provider": account.provider, "account": account.account}
    before = connection.execute(named("ingest/account_mode.sql"), names).scalar()
    if before is not None and before != account.livemode:
        raise WrongAccountError(
            f"{account.account} was read in {_name(before)} mode before; the key given now is for "
            f"{_name(account.livemode)} mode.",
            where=account.provider,
            remedy="Use the key of the mode whose money this database describes, or another database.",
        )


def _name(livemode: bool) -> str:
    return "live" if livemode else "test"
