"""The one reader of the environment. Everything else receives a `Settings` or plain values.

Belongs here: names, types, defaults and checks of settings. Does not belong here: connecting to anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from payments_pipeline.errors import ConfigurationError

Mode = Literal["live", "test"]


class Settings(BaseSettings):
    """All settings, read once from environment variables (or a `.env` file in the working folder).

    Each field's environment variable is its name in upper case, e.g. ``STRIPE_API_KEY``.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
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

    nowpayments_api_key: SecretStr | None = Field(None, description="NOWPayments API key.")
    nowpayments_email: SecretStr | None = Field(None, description="NOWPayments log-in, needed for listing.")
    nowpayments_password: SecretStr | None = Field(None, description="NOWPayments password, needed for listing.")
    nowpayments_api_base: str = Field(
        "https://api.nowpayments.io", description="NOWPayments base address, without /v1."
    )

    okx_api_key: SecretStr | None = Field(None, description="OKX API key with Read permission.")
    okx_api_secret: SecretStr | None = Field(None, description="OKX API secret.")
    okx_api_passphrase: SecretStr | None = Field(None, description="OKX API passphrase.")
    okx_api_base: str = Field("https://www.okx.com", description="OKX base address, no trailing slash.")

    discord_webhook_url: SecretStr | None = Field(None, description="Discord webhook that receives alerts.")
    discord_api_base: str | None = Field(
        None, description="Replaces scheme, host and /api of the webhook, e.g. for a proxy."
    )

    snapshot_window_days: int = Field(90, ge=1, description="How far back the nightly sweep lists providers.")
    http_timeout_seconds: float = Field(20.0, gt=0, description="Time-out of one provider call.")
    http_max_attempts: int = Field(5, ge=1, description="Attempts of one provider call, the first included.")
    nightly_timezone: str = Field("UTC", description="Time zone of the 02:00 reconciliation.")
    dagster_ui_url: str = Field("http://127.0.0.1:3000", description="Where links in alerts point to.")
    report_params: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description='Overrides of report parameters, JSON: {"report": {"name": value}}.'
    )
    show_personal_data: bool = Field(False, description="Put e-mail addresses in alerts; off: masked.")


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
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']).upper()}: {item['msg']}" for item in error.errors()
        )
        raise ConfigurationError(
            f"Settings can't be read: {problems}.", where="environment or .env", remedy="See .env.example."
        ) from None
