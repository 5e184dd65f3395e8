"""Refuses an account that may be a stored one under a new name, before all of it is stored a second time.

Belongs here: accounts known by a fingerprint of their log-in or key, which changes with these, or known at Stripe only
to keys that may ask. Does not belong here: asking who an account is (accounts.py), live and test mode (same_mode.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine

from payments_pipeline.db.sql import named
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.providers.accounts import Identified
from payments_pipeline.providers.identity import DEFAULT_LABEL, UNTOLD, is_made_up


def unless_renamed(engine: Engine, asked: Sequence[Identified]) -> list[Identified]:
    """`asked`, but with an error in place of each new account that may be a stored one which nothing configures.

    That is so where either of the two ids was not told by the provider.

    An account whose id is configured is let through: somebody said which one it is.

    Args:
        asked: all configured accounts of their providers, or a stored one would seem configured nowhere.
    """
    return [_refused(one, orphans) if (orphans := _left_over(engine, one, asked)) else one for one in asked]


def _left_over(engine: Engine, one: Identified, asked: Sequence[Identified]) -> list[str]:
    """Stored accounts of which `one` may be another name; empty where it is none."""
    if one.account is None or one.provider.expected_account is not None:
        return []
    own = [other for other in asked if other.provider.name == one.provider.name]
    with engine.connect() as connection:
        names = {"provider": one.provider.name}
        stored = set(connection.execute(named("ingest/accounts_stored.sql"), names).scalars())
    configured = {other.account.account if other.account else other.provider.expected_account for other in own}
    orphans = sorted(name for name in stored - configured if is_made_up(name) or is_made_up(one.account.account))
    # One that did not answer may be the stored account.
    silent = sum(other.account is None and other.provider.expected_account is None for other in own)
    return orphans if one.account.account not in stored and len(orphans) > silent else []


def _refused(one: Identified, orphans: Sequence[str]) -> Identified:
    assert one.account is not None  # noqa: S101  (only such are refused)
    label, account = one.provider.label, one.account.account
    setting = (
        f"{one.provider.name.upper()}_ACCOUNT"
        if label == DEFAULT_LABEL
        else f"the `account` of {label} in PROVIDER_ACCOUNTS"
    )
    if UNTOLD in {account, *orphans}:
        origin = f"Keys that may not tell their account answer as {UNTOLD}: if it is the same one"
        known = ", ".join(orphans) if account == UNTOLD else account
        remedy = f"Set {setting} to {known}" + ("." if account == UNTOLD else f", and delete the rows of {UNTOLD}.")
    else:
        origin = "The id is made from the log-in (without one, from the key): if that was changed"
        remedy = f"Go back to the log-in or key used before. If it is another account, set {setting} to {account}."
    error = ConfigurationError(
        f"{one.provider.name} answers as {account}, which is new, while rows of {', '.join(orphans)} are stored, which "
        f"nothing configures. {origin}, the same payments would be stored twice.",
        where=f"{one.provider.name} account {label}",
        remedy=remedy,
    )
    return Identified(one.provider, None, error)
