"""Which accounts are configured, and who each of them turns out to be.

Belongs here: the accounts of the providers' own variables and of PROVIDER_ACCOUNTS in one list, and what two of them
may not share. Does not belong here: reading the environment (config.py), building clients (catalogue.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import SecretStr

from payments_pipeline.config import ProviderAccount, Settings, more_accounts
from payments_pipeline.errors import ConfigurationError, PaymentsPipelineError
from payments_pipeline.providers.base import Account, Provider
from payments_pipeline.providers.identity import DEFAULT_LABEL

PROVIDERS = ("stripe", "nowpayments", "okx")
WHERE = "PROVIDER_ACCOUNTS"


class ConfiguredProvider(Provider, Protocol):
    """A provider account as it is configured.

    Attributes:
        label: its name in the configuration; ``default`` for the provider's own variables.
        expected_account: the provider's id that it must turn out to be; None: any.
    """

    @property
    def label(self) -> str: ...

    @property
    def expected_account(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class ConfiguredAccount:
    """One account before anything is built for it.

    Attributes:
        settings: all settings, with this account's in place of the provider's own variables.
        account: the provider's id that it must turn out to be; None: any.
    """

    provider: str
    label: str
    settings: Settings
    api_key: SecretStr
    account: str | None


@dataclass(frozen=True, slots=True)
class Identified:
    """Who a configured account is, or why that can't be told; exactly one of `account` and `error` is set."""

    provider: ConfiguredProvider
    account: Account | None
    error: PaymentsPipelineError | None


def configured_accounts(settings: Settings) -> tuple[ConfiguredAccount, ...]:
    """Every configured account, by provider in the catalogue's order, that of the provider's own variables first.

    Raises:
        ConfigurationError: two accounts of a provider share name, key or expected account id; or the list of
            accounts can't be read.
    """
    more = more_accounts(settings)
    accounts = [
        account
        for provider in PROVIDERS
        for account in (*_own(settings, provider), *(_added(settings, one) for one in more if one.provider == provider))
    ]
    if any(one.name == DEFAULT_LABEL for one in more):
        raise ConfigurationError(
            f"No account may be called {DEFAULT_LABEL!r}: so the provider's own variables are called.",
            where=WHERE,
            remedy="Give it another name.",
        )
    _refuse_shared(accounts)
    return tuple(accounts)


def identified(providers: Sequence[ConfiguredProvider]) -> list[Identified]:
    """Ask each account who it is. One that does not answer leaves the others.

    Two that turn out to be the same account are both refused: which configuration is the right one is not ours to
    guess, and two readers of one account in different modes would mix live and test money.
    """
    answers = [_identify(provider) for provider in providers]
    found = Counter((one.account.provider, one.account.account) for one in answers if one.account is not None)
    return [_unless_shared(one, answers) if one.account and found[_key(one.account)] > 1 else one for one in answers]


def _own(settings: Settings, provider: str) -> Iterable[ConfiguredAccount]:
    key = getattr(settings, f"{provider}_api_key")
    if key is not None:
        expected = getattr(settings, f"{provider}_account")
        yield ConfiguredAccount(provider, DEFAULT_LABEL, settings, key, expected)


def _added(settings: Settings, one: ProviderAccount) -> ConfiguredAccount:
    values: dict[str, Any] = {"api_key": one.api_key, "account": one.account}
    match one.provider:
        case "nowpayments":
            values |= {"email": one.email, "password": one.password}
        case "okx":
            values |= {"api_secret": one.api_secret, "api_passphrase": one.passphrase}
    if one.api_base is not None:
        values["api_base"] = one.api_base
    if one.calls_per_second is not None:
        values["calls_per_second"] = one.calls_per_second
    own = settings.model_copy(update={f"{one.provider}_{name}": value for name, value in values.items()})
    return ConfiguredAccount(one.provider, one.name, own, one.api_key, one.account)


def _refuse_shared(accounts: Sequence[ConfiguredAccount]) -> None:
    for number, one in enumerate(accounts):
        for other in accounts[:number]:
            if one.provider != other.provider:
                continue
            if one.label == other.label:
                shared = f"Two accounts of {one.provider} are called {one.label!r}"
            elif one.api_key == other.api_key:
                shared = f"Accounts {other.label!r} and {one.label!r} of {one.provider} have the same key"
            elif one.account is not None and one.account == other.account:
                shared = f"Accounts {other.label!r} and {one.label!r} of {one.provider} are both {one.account}"
            else:
                continue
            raise ConfigurationError(f"{shared}.", where=WHERE, remedy="Configure each account once.")


def _identify(provider: ConfiguredProvider) -> Identified:
    try:
        return Identified(provider, provider.identify(), None)
    except PaymentsPipelineError as error:
        return Identified(provider, None, error)


def _unless_shared(one: Identified, answers: Sequence[Identified]) -> Identified:
    assert one.account is not None  # noqa: S101  (only such are asked for)
    key = _key(one.account)
    labels = [repr(other.provider.label) for other in answers if other.account and _key(other.account) == key]
    return Identified(
        one.provider,
        None,
        ConfigurationError(
            f"Accounts {' and '.join(labels)} of {key[0]} are the same account, {key[1]}.",
            where=WHERE,
            remedy="Remove one of them; live and test mode of one account need a database each.",
        ),
    )


def _key(account: Account) -> tuple[str, str]:
    return account.provider, account.account
