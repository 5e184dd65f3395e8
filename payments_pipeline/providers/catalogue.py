"""Which providers and resources exist, and which of them are configured. Light: clients are imported when built.

Belongs here: the lists, building the clients, the rates that apply to them. Does not belong here: anything that
calls a provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from payments_pipeline.config import Settings
from payments_pipeline.providers.accounts import ConfiguredAccount, ConfiguredProvider, configured_accounts
from payments_pipeline.providers.base import Clock, ResourceSpec
from payments_pipeline.providers.identity import key_fingerprint, mode_of_key
from payments_pipeline.providers.nowpayments_objects import NOWPAYMENTS_SPECS
from payments_pipeline.providers.okx_objects import OKX_SPECS
from payments_pipeline.providers.stripe_specs import STRIPE_SPECS

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from payments_pipeline.providers.limiter import RateLimiter, SharedSlots

SPECS: tuple[ResourceSpec, ...] = (*STRIPE_SPECS, *NOWPAYMENTS_SPECS, *OKX_SPECS)
"""Every resource of every provider."""


STRIPE_LIVE, STRIPE_TEST, STRIPE_ENDPOINT = 80.0, 20.0, 22.0
"""Calls a second where none are set: below Stripe's 100 live, 25 test and 25 an endpoint, which the application's own
calls count against too."""


def configured_providers(settings: Settings) -> frozenset[str]:
    """Names of the providers with at least one account; what else they need is asked for when they are built.

    Raises:
        ConfigurationError: see `accounts.configured_accounts`.
    """
    return frozenset(account.provider for account in configured_accounts(settings))


def build_providers(settings: Settings, clock: Clock, engine: Engine | None = None) -> list[ConfiguredProvider]:
    """Clients of the configured accounts, in the order of `SPECS`. Makes no call.

    Args:
        engine: where rate limits are shared with other processes; None: this process has them for itself.

    Raises:
        ConfigurationError: a provider's key is set, but not the rest of what it needs; or two accounts share something
            (see `accounts.configured_accounts`).
    """
    accounts = configured_accounts(settings)
    if not accounts:
        return []
    from payments_pipeline.providers.limiter import SharedSlots

    shared = SharedSlots(engine) if engine is not None else None
    return [_build(account, clock, limiter_of(account, shared)) for account in accounts]


def _build(account: ConfiguredAccount, clock: Clock, limiter: RateLimiter) -> ConfiguredProvider:
    match account.provider:
        case "stripe":
            from payments_pipeline.providers.stripe import StripeProvider

            return StripeProvider(account.settings, clock, label=account.label, limiter=limiter)
        case "nowpayments":
            from payments_pipeline.providers.nowpayments import NowPaymentsProvider

            return NowPaymentsProvider(
                account.settings, clock, expected_account=account.account, label=account.label, limiter=limiter
            )
        case _:
            from payments_pipeline.providers.okx import OkxProvider

            return OkxProvider(
                account.settings, clock, expected_account=account.account, label=account.label, limiter=limiter
            )


def limiter_of(account: ConfiguredAccount, shared: SharedSlots | None = None) -> RateLimiter:
    """The account's limit: known by its id where that is configured, else by its key."""
    from payments_pipeline.providers.limiter import Limit, RateLimiter

    settings, key = account.settings, account.api_key.get_secret_value()
    endpoint = None
    match account.provider:
        case "stripe":
            live = mode_of_key(key) is True
            ceiling = settings.stripe_calls_per_second or (STRIPE_LIVE if live else STRIPE_TEST)
            endpoint = settings.stripe_endpoint_calls_per_second or (STRIPE_ENDPOINT if live else None)
        case "nowpayments":
            ceiling = settings.nowpayments_calls_per_second
        case _:
            ceiling = settings.okx_calls_per_second
    known_as = account.account or key_fingerprint("key", key)
    return RateLimiter(Limit(account.provider, known_as, ceiling), shared, endpoint_ceiling=endpoint)
