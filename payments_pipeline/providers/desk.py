"""Where repairs find the write side of a provider's account, by the provider's own id of it.

Belongs here: choosing the account and building its client at first use. Does not belong here: calls
(stripe_writes.py). Light: clients are imported when they are built.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payments_pipeline.config import Settings
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.providers.accounts import ConfiguredAccount, configured_accounts
from payments_pipeline.providers.base import Account, Clock

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from payments_pipeline.providers.limiter import SharedSlots
    from payments_pipeline.providers.stripe import StripeProvider
    from payments_pipeline.providers.stripe_writes import StripeWrites


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call is waited for.

    Attributes:
        timeout: seconds to connect, and seconds of silence while an answer is read.
        attempts: tries of a call that only reads, the first included.
    """

    timeout: float
    attempts: int


@dataclass(frozen=True, slots=True)
class _Opened:
    provider: StripeProvider
    account: Account
    writes: StripeWrites


class Desk:
    """The configured accounts of providers that repairs may write to. Any number of threads may use it.

    Args:
        engine: where rate limits are shared with other processes; None: this process has them for itself.
    """

    def __init__(self, settings: Settings, clock: Clock, engine: Engine | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._engine = engine
        self._lock = threading.Lock()
        self._stripe: dict[str, _Opened] | None = None

    @property
    def patience(self) -> Patience:
        """How long the calls of every account may last."""
        return Patience(self._settings.http_timeout_seconds, self._settings.http_max_attempts)

    def can_ask(self, account: str | None) -> bool:
        """Whether a configured Stripe key belongs to that account. Raises as `only_stripe`."""
        return account in self._all()

    def only_stripe(self) -> str | None:
        """The one Stripe account; None where there is none, or more than one.

        Raises:
            CredentialsError, TransientError: an account could not be asked for its id.
        """
        known = list(self._all())
        return known[0] if len(known) == 1 else None

    def stripe(self, account: str) -> StripeWrites:
        """The Stripe account of that id (``acct_…``).

        Raises:
            ConfigurationError: no configured key belongs to it.
            CredentialsError, TransientError: an account without a configured id could not be asked for it.
        """
        return self._found(account).writes

    def stripe_account(self, account: str) -> tuple[StripeProvider, Account]:
        """The same account as those see it who read snapshots.

        Raises:
            As `stripe`.
        """
        found = self._found(account)
        return found.provider, found.account

    def _all(self) -> dict[str, _Opened]:
        with self._lock:
            if self._stripe is None:
                self._stripe = self._open()
            return self._stripe

    def _found(self, account: str) -> _Opened:
        found = self._all().get(account)
        if found is None:
            raise ConfigurationError(
                f"No configured Stripe key belongs to account {account}.",
                where="STRIPE_API_KEY, PROVIDER_ACCOUNTS",
                remedy="Configure that account's key; it needs write access for repairs.",
            )
        return found

    def _open(self) -> dict[str, _Opened]:
        from payments_pipeline.providers.limiter import SharedSlots

        shared = SharedSlots(self._engine) if self._engine is not None else None
        accounts = [one for one in configured_accounts(self._settings) if one.provider == "stripe"]
        return dict(self._open_one(one, shared) for one in accounts)

    def _open_one(self, one: ConfiguredAccount, shared: SharedSlots | None) -> tuple[str, _Opened]:
        from payments_pipeline.providers.catalogue import limiter_of
        from payments_pipeline.providers.stripe import StripeProvider
        from payments_pipeline.providers.stripe_writes import StripeWrites

        provider = StripeProvider(one.settings, self._clock, label=one.label, limiter=limiter_of(one, shared))
        # Always asked: a key that was exchanged for another account's must never move that account's money.
        account = provider.identify()
        return account.account, _Opened(provider, account, StripeWrites(provider.calls))
