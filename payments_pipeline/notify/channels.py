"""Which channels are configured. Belongs here: from settings to channels. Does not belong here: sending."""

from __future__ import annotations

from payments_pipeline.config import Settings
from payments_pipeline.notify.channel import Channel


def build_channels(settings: Settings) -> dict[str, Channel]:
    """The configured channels by the name that `recon.notifications.channel` holds; empty when there are none.

    Raises:
        ConfigurationError: a channel's address is malformed.
    """
    channels: dict[str, Channel] = {}
    if settings.discord_webhook_url is not None:
        from payments_pipeline.notify.discord import DiscordChannel  # requests loads slowly; definitions do not need it

        channels["discord"] = DiscordChannel(
            settings.discord_webhook_url.get_secret_value(),
            settings.discord_api_base,
            timeout=settings.http_timeout_seconds,
            personal=settings.show_personal_data,
        )
    return channels
