"""Who a key belongs to, where the provider can't say it: a fingerprint as account id, live or test by address or key.

Belongs here: rules for providers without an account endpoint. Does not belong here: asking a provider.
"""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import urlsplit

from payments_pipeline.errors import WrongAccountError
from payments_pipeline.providers.base import Account

FINGERPRINT_DIGITS = 8
FINGERPRINTS = ("np_", "okx_")
UNTOLD = "default"
"""Stripe's account where neither the server nor the configuration tells which it is."""
DEFAULT_LABEL = "default"
"""The name of the account that a provider's own variables (STRIPE_API_KEY, …) configure."""


def key_fingerprint(prefix: str, key: str) -> str:
    """A short, stable account id made from a key: ``np_1a2b3c4d``. It does not give the key away."""
    return f"{prefix}_{sha256(key.encode()).hexdigest()[:FINGERPRINT_DIGITS]}"


def is_made_up(account: str) -> bool:
    """Whether an account id was not told by the provider: it is `UNTOLD`, or made by `key_fingerprint`."""
    return account == UNTOLD or account.startswith(FINGERPRINTS)


def credentials_hint(label: str, variables: str) -> str:
    """Where an account's credentials are set: in variables of their own, or under its name in PROVIDER_ACCOUNTS."""
    return variables if label == DEFAULT_LABEL else f"the credentials of account {label} in PROVIDER_ACCOUNTS"


def livemode_of(base_url: str) -> bool:
    """False only where the host calls itself a sandbox (``api-sandbox.nowpayments.io``); a proxy carries live money."""
    return "sandbox" not in (urlsplit(base_url).hostname or "")


def mode_of_key(key: str) -> bool | None:
    """True for live keys of Stripe, False for test keys, None when the key does not say."""
    if key.startswith(("sk_live_", "rk_live_")):
        return True
    return False if key.startswith(("sk_test_", "rk_test_")) else None


def expect(found: Account, expected: str | None) -> Account:
    """`found`, if it is the account expected or none is.

    Raises:
        WrongAccountError: another account answered.
    """
    if expected is not None and found.account != expected:
        raise WrongAccountError(
            f"{found.provider} answered for account {found.account}, expected is {expected}.",
            where=found.provider,
            remedy="Use that account's key, or correct the expected account.",
        )
    return found
