"""Which channels are configured, and who is told what. Belongs here: from settings to both. Not here: sending."""

from __future__ import annotations

from collections.abc import Collection

from payments_pipeline.config import Settings
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.notify.channel import Channel
from payments_pipeline.notify.routes import DeliveryPlan, Route, quiet_hours

DISCORD = "discord"


def build_channels(settings: Settings) -> dict[str, Channel]:
    """The configured channels by the name that `recon.notifications.channel` holds; empty when there are none.

    They stand in for each other in this order: DISCORD_WEBHOOK_URL, then ALERT_CHANNELS as listed.

    Raises:
        ConfigurationError: a channel's address is malformed, or two have one name.
    """
    channels: dict[str, Channel] = {}
    if settings.discord_webhook_url is not None:
        from payments_pipeline.notify.discord import DiscordChannel  # requests loads slowly; definitions do not need it

        channels[DISCORD] = DiscordChannel(
            settings.discord_webhook_url.get_secret_value(),
            settings.discord_api_base,
            timeout=settings.http_timeout_seconds,
            personal=settings.show_personal_data,
        )
    for one in settings.alert_channels:
        from payments_pipeline.notify.apprise_channel import AppriseChannel  # likewise

        if one.name in channels:
            raise ConfigurationError(
                f"Two channels are called {one.name}.", where="ALERT_CHANNELS", remedy="Give each a name of its own."
            )
        channels[one.name] = AppriseChannel(
            one.name,
            one.url.get_secret_value(),
            timeout=settings.http_timeout_seconds,
            personal=settings.show_personal_data,
        )
    return channels


def require_known_reports(settings: Settings, known: Collection[str]) -> None:
    """Refuse routes of reports that do not exist: their channel would never be told anything.

    Args:
        known: names of all reports and watches.

    Raises:
        ConfigurationError: an entry of ALERT_CHANNELS names another.
    """
    for one in settings.alert_channels:
        if unknown := sorted(set(one.reports or ()) - set(known)):
            raise ConfigurationError(
                f"Channel {one.name} wants to hear of {', '.join(unknown)}: no report or watch is called so.",
                where="ALERT_CHANNELS, reports",
                remedy=f"Choose among {', '.join(sorted(known))}; leave `reports` out for all.",
            )


def delivery_plan(settings: Settings) -> DeliveryPlan:
    """Routes and quiet hours.

    Raises:
        ConfigurationError: the quiet hours or their time zone are malformed.
    """
    routes = {one.name: Route(one.min_severity, one.reports, one.summary) for one in settings.alert_channels}
    routes[DISCORD] = Route(settings.discord_min_severity)
    return DeliveryPlan(routes, quiet_hours(settings.quiet_hours, settings.quiet_hours_timezone))
