"""The fetches of one run at one account: lists, re-reads, and certificates of what could not be fetched.

Belongs here: what incremental runs and sweeps have in common. Does not belong here: which windows and objects to read.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PaymentsPipelineError
from payments_pipeline.ingest.coverage import Coverage, stored
from payments_pipeline.ingest.rows import NAMELESS
from payments_pipeline.ingest.snapshot import reread, snapshot
from payments_pipeline.ingest.windows import settled
from payments_pipeline.providers.base import Account, Clock, Provider, ResourceSpec, Window


@dataclass(frozen=True, slots=True)
class Fetches:
    """What all fetches of one run share.

    Attributes:
        keep_raw: keep the objects' JSON in recon.raw_json, too.
    """

    engine: Engine
    provider: Provider
    account: Account
    as_of: datetime
    run_id: str | None
    clock: Clock
    keep_raw: bool = True

    def spec(self, resource: str) -> ResourceSpec:
        """What is known of a resource."""
        return self.provider.resources[resource].spec

    def reachable(self, resource: str, window: Window) -> Window:
        """What of a window a list begun now can speak of."""
        return settled(window, now=self.clock(), history=self.spec(resource).history)

    def listed(self, resource: str, window: Window, mode: str, *, owed_from: datetime) -> Coverage:
        """List a window; provider errors are in the certificate.

        Args:
            owed_from: where the window would begin, had it not been stretched to save re-reads.
        """
        return snapshot(
            self.engine, self.provider, self.account, resource, window,
            as_of=self.as_of, mode=mode, run_id=self.run_id, clock=self.clock, keep_raw=self.keep_raw,
            owed_from=owed_from if owed_from > window.start else None,
        )  # fmt: skip

    def again(self, resource: str, ids: Collection[str]) -> Coverage | None:
        """Read single objects again; None where there is nothing to read, nor an earlier failure to make good."""
        if not ids and not self._owes_reread(resource):
            return None
        return reread(
            self.engine, self.provider, self.account, resource, sorted(ids),
            as_of=self.as_of, mode="reread", run_id=self.run_id, clock=self.clock, keep_raw=self.keep_raw,
        )  # fmt: skip

    def rejected_before(self, resource: str, moment: datetime, most: int) -> list[str]:
        """Objects that could not be read, known by id and not asked for since `moment`; those asked longest ago first.

        Nothing else brings them back once the lists have passed them: they are stored in no state that could be open.
        """
        account = self.account
        with self.engine.connect() as connection:
            found = connection.execute(
                named("ingest/rejected_before.sql"),
                {
                    "provider": account.provider, "account": account.account, "resource": resource,
                    "nameless": f"{NAMELESS}%", "before": moment, "most": most,
                },
            )  # fmt: skip
            return list(found.scalars())

    def unread(self, resource: str, mode: str, window: Window, error: PaymentsPipelineError) -> Coverage:
        """Certify that something was not read, and why."""
        now = self.clock()
        made = Coverage(
            provider=self.account.provider,
            account=self.account.account,
            livemode=self.account.livemode,
            resource=resource,
            mode=mode,
            window_from=window.start,
            window_to=window.end,
            as_of=self.as_of,
            pages=0,
            objects=0,
            rows_written=0,
            rejected=0,
            complete=False,
            error=str(error),
            run_id=self.run_id,
            started_at=now,
            finished_at=now,
        )
        with self.engine.begin() as connection:
            return stored(connection, made)

    def _owes_reread(self, resource: str) -> bool:
        names = {"provider": self.account.provider, "account": self.account.account, "resource": resource}
        with self.engine.connect() as connection:
            return bool(connection.execute(named("ingest/reread_failed.sql"), names).scalar())
