"""Certificates for a fetch that never began: the provider refused to say who we are.

Belongs here: withdrawing trust from what was read before. Does not belong here: fetches that began (snapshot.py).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine

from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.ingest.coverage import UNIDENTIFIED, Coverage, latest, stored
from payments_pipeline.providers.base import Clock, Window


def certify_unread(
    engine: Engine,
    provider: str,
    resource: str,
    window: Window,
    error: PaymentsPipelineError,
    *,
    as_of: datetime,
    mode: str,
    run_id: str | None,
    clock: Clock,
    expected: str | None = None,
    read: Collection[str] = (),
) -> list[Coverage]:
    """Write an incomplete certificate for accounts that were read before; yesterday's must not stand for today.

    Args:
        expected: id of the account that was not read, where the configuration tells it. It may be mistyped: nothing is
            written in its name before it was read once, or the mistake would count as an account for ever.
        read: the provider's other accounts that this run did read.

    Returns:
        The certificates: of the account that was not read, if it is known. If not, of those just read, because a
        provider is trusted as a whole, and the next run certifies them again; without such, of every account ever
        read; where nothing was ever read, one of an unidentified account, so that the reason can be seen.
    """
    unread = Coverage(
        provider=provider, account=UNIDENTIFIED, livemode=False, resource=resource, mode=mode,
        window_from=window.start, window_to=window.end, as_of=as_of, pages=0, objects=0, rows_written=0, rejected=0,
        complete=False, error=str(error), run_id=run_id, started_at=clock(), finished_at=clock(),
    )  # fmt: skip
    with engine.begin() as connection:
        known = [one for one in latest(connection) if (one.provider, one.resource) == (provider, resource)]
        own = [one for one in known if one.account == expected]
        withdrawn = own or [one for one in known if one.account in read] or known
        accounts = {(one.account, one.livemode) for one in withdrawn} or {(unread.account, unread.livemode)}
        return [
            stored(connection, replace(unread, account=account, livemode=livemode))
            for account, livemode in sorted(accounts)
        ]
