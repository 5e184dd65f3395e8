"""Which providers and resources exist, and which of them are configured. Light: clients are imported when built.

Belongs here: the lists. Does not belong here: anything that calls a provider.
"""

from __future__ import annotations

from payments_pipeline.config import Settings
from payments_pipeline.providers.base import Clock, Provider, ResourceSpec
from payments_pipeline.providers.nowpayments_objects import NOWPAYMENTS_SPECS
from payments_pipeline.providers.okx_objects import OKX_SPECS
from payments_pipeline.providers.stripe_objects import STRIPE_SPECS

SPECS: tuple[ResourceSpec, ...] = (*STRIPE_SPECS, *NOWPAYMENTS_SPECS, *OKX_SPECS)
"""Every resource of every provider."""


def configured_providers(settings: Settings) -> frozenset[str]:
    """Names of the providers whose key is set; what else they need is asked for when they are built."""
    keys = {
        "stripe": settings.stripe_api_key,
        "nowpayments": settings.nowpayments_api_key,
        "okx": settings.okx_api_key,
    }
    return frozenset(name for name, key in keys.items() if key is not None)


def build_providers(settings: Settings, clock: Clock) -> list[Provider]:
    """Clients of the configured providers, in the order of `SPECS`. Makes no call.

    Raises:
        ConfigurationError: a provider's key is set, but not the rest of what it needs.
    """
    configured = configured_providers(settings)
    providers: list[Provider] = []
    if "stripe" in configured:
        from payments_pipeline.providers.stripe import StripeProvider

        providers.append(StripeProvider(settings, clock))
    if "nowpayments" in configured:
        from payments_pipeline.providers.nowpayments import NowPaymentsProvider

        providers.append(NowPaymentsProvider(settings, clock))
    if "okx" in configured:
        from payments_pipeline.providers.okx import OkxProvider

        providers.append(OkxProvider(settings, clock))
    return providers
