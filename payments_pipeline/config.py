"""The one reader of the environment. Everything else receives a `Settings` or plain values.

Belongs here: names, types, defaults and checks of settings. Does not belong here: connecting to anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from payments_pipeline.errors import ConfigurationError

Mode = Literal["live", "test"]
SeverityName = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
CheckoutReference = Literal["user", "payment", "either"]
"""What the application writes into client_reference_id of a checkout: the id of its user, or of its payment."""


class ProviderAccount(BaseModel):
    """One more account at a provider: an entry of PROVIDER_ACCOUNTS or of the file that PROVIDER_ACCOUNTS_FILE names.

    Attributes:
        name: what this account is called here; unique among a provider's accounts.
        account: the provider's own id of it; another one is refused.
        api_base, calls_per_second: None: those of the provider's own variables.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    provider: Literal["stripe", "nowpayments", "okx"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    api_key: SecretStr = Field(min_length=1)
    api_secret: SecretStr | None = None
    passphrase: SecretStr | None = None
    email: SecretStr | None = None
    password: SecretStr | None = None
    account: str | None = Field(None, min_length=1)
    api_base: str | None = None
    calls_per_second: float | None = Field(None, gt=0)


class AlertChannel(BaseModel):
    """One more way to people: an entry of ALERT_CHANNELS.

    Attributes:
        name: what it is called in the outbox; unique.
        url: Apprise's address of the service; a secret.
        min_severity: this and graver.
        reports: only these reports and watches; None: all, and failures of runs.
        summary: the daily summary, too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    url: SecretStr = Field(min_length=1)
    min_severity: SeverityName = "LOW"
    reports: tuple[str, ...] | None = None
    summary: bool = True


class Settings(BaseSettings):
    """All settings, read once from environment variables (or a `.env` file in the working folder).

    Each field's environment variable is its name in upper case, e.g. ``STRIPE_API_KEY``.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: SecretStr | None = Field(
        None, description="PostgreSQL to use; unset: an embedded server under PAYMENTS_HOME."
    )
    payments_home: Path = Field(Path(".payments"), description="Folder of the embedded server and local state.")
    contract_dir: Path | None = Field(
        None, description="Folder with your own contract views; unset: sql/contract and the reference tables."
    )

    stripe_api_key: SecretStr | None = Field(None, description="Stripe secret or restricted key (read access).")
    stripe_account: str | None = Field(None, description="Expected account id acct_…; another one is refused.")
    stripe_api_base: str = Field("https://api.stripe.com", description="Stripe base address, no trailing slash.")

    stripe_calls_per_second: float | None = Field(
        None, gt=0, description="Calls a second of one Stripe account; unset: 80 with a live key, 20 with a test key."
    )
    stripe_endpoint_calls_per_second: float | None = Field(
        None, gt=0, description="The same for each kind of object; unset: 22 with a live key, no such limit in test."
    )

    nowpayments_api_key: SecretStr | None = Field(None, description="NOWPayments API key.")
    nowpayments_email: SecretStr | None = Field(None, description="NOWPayments log-in, needed for listing.")
    nowpayments_password: SecretStr | None = Field(None, description="NOWPayments password, needed for listing.")
    nowpayments_account: str | None = Field(None, description="Expected account id np_…; another one is refused.")
    nowpayments_api_base: str = Field(
        "https://api.nowpayments.io", description="NOWPayments base address, without /v1."
    )

    nowpayments_calls_per_second: float = Field(5.0, gt=0, description="Calls a second of one NOWPayments account.")

    okx_api_key: SecretStr | None = Field(None, description="OKX API key with Read permission.")
    okx_api_secret: SecretStr | None = Field(None, description="OKX API secret.")
    okx_api_passphrase: SecretStr | None = Field(None, description="OKX API passphrase.")
    okx_account: str | None = Field(None, description="Expected account id (uid); another one is refused.")
    okx_api_base: str = Field("https://www.okx.com", description="OKX base address, no trailing slash.")

    okx_calls_per_second: float = Field(5.0, gt=0, le=6, description="Calls a second of one OKX account.")

    provider_accounts: tuple[ProviderAccount, ...] = Field(
        (), description='More accounts, JSON: [{"provider": "stripe", "name": "eu", "api_key": "…"}].'
    )
    provider_accounts_file: Path | None = Field(
        None, description="The same list in a file, for whom secrets in the environment are not secret enough."
    )

    discord_webhook_url: SecretStr | None = Field(None, description="Discord webhook that receives alerts.")
    discord_api_base: str | None = Field(
        None, description="Replaces scheme, host and /api of the webhook, e.g. for a proxy."
    )

    discord_min_severity: SeverityName = Field("LOW", description="Discord is told of this and graver.")
    alert_channels: tuple[AlertChannel, ...] = Field(
        (), description='More channels, JSON: [{"name": "oncall", "url": "pagerduty://…", "min_severity": "HIGH"}].'
    )
    quiet_hours: str | None = Field(None, description="No noise below HIGH in these hours of a day: 22:00-07:00.")
    quiet_hours_timezone: str = Field("UTC", description="Time zone of the quiet hours, e.g. Europe/Zurich.")

    application_names: tuple[str, ...] = Field(
        (), description='How metadata.app of a payment may call us, JSON: ["studio"]; anything else is another product.'
    )
    checkout_reference: CheckoutReference = Field(
        "either", description="What the application writes into client_reference_id: user, payment; either: unknown."
    )

    deposit_tolerance: Decimal = Field(
        Decimal("0.02"), ge=0, lt=1, description="Part of a crypto sum that may be missing, or too much."
    )
    deposit_tolerance_by_coin: dict[str, Annotated[Decimal, Field(ge=0, lt=1)]] = Field(
        default_factory=dict, description='The same for single coins, JSON: {"BTC": "0.005"}.'
    )
    snapshot_window_days: int = Field(90, ge=1, description="How far back the nightly sweep lists providers.")
    keep_raw_json: bool = Field(True, description="Keep the providers' own JSON of each object, beside its columns.")
    raw_json_days: int | None = Field(
        None, ge=1, description="Days after which the JSON of an object that did not change is dropped; unset: never."
    )
    history_days: int = Field(
        180, ge=7, description="Days after which ended runs, their logs and messages of old findings are dropped."
    )
    http_timeout_seconds: float = Field(20.0, gt=0, description="Time-out of one provider call.")
    http_max_attempts: int = Field(5, ge=1, description="Attempts of one provider call, the first included.")
    nightly_timezone: str = Field("UTC", description="Time zone of the 02:00 reconciliation.")
    dagster_ui_url: str = Field("http://127.0.0.1:3000", description="Where links in alerts point to.")
    report_params: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description='Overrides of report parameters, JSON: {"report": {"name": value}}.'
    )
    show_personal_data: bool = Field(False, description="Put e-mail addresses and the like in alerts; off: masked.")


def load_settings(**overrides: Any) -> Settings:
    """Read the environment.

    Returns:
        The settings; `overrides` win over the environment.

    Raises:
        ConfigurationError: a value is malformed; names each variable.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = _problems(error)
    except SettingsError as error:  # JSON that is none; its text names the field and no value
        problems = f"{error}, which must be JSON"
    raise ConfigurationError(
        f"Settings can't be read: {problems}.", where="environment or .env", remedy="See .env.example."
    )


def more_accounts(settings: Settings) -> tuple[ProviderAccount, ...]:
    """The accounts that PROVIDER_ACCOUNTS and PROVIDER_ACCOUNTS_FILE add to those of the providers' own variables.

    Raises:
        ConfigurationError: the file can't be read or is malformed; names the place in it, and no value.
    """
    file = settings.provider_accounts_file
    if file is None:
        return settings.provider_accounts
    try:
        listed = TypeAdapter(tuple[ProviderAccount, ...]).validate_json(file.read_bytes())
    except ValidationError as error:
        problems = _problems(error)
    except OSError as error:
        problems = error.strerror or type(error).__name__
    else:
        return (*settings.provider_accounts, *listed)
    raise ConfigurationError(
        f"The list of accounts can't be read: {problems}.",
        where=f"PROVIDER_ACCOUNTS_FILE, {file}",
        remedy="See .env.example; the file holds the same JSON as PROVIDER_ACCOUNTS, and must be readable by us.",
    )


def _problems(error: ValidationError) -> str:
    """Places and complaints, without the values: those may be secrets."""
    return "; ".join(_place(item["loc"]) + item["msg"] for item in error.errors(include_input=False))


def _place(location: Iterable[int | str]) -> str:
    parts = [str(part) for part in location]
    return ".".join([part.upper() for part in parts[:1]] + parts[1:]) + ": " if parts else ""
