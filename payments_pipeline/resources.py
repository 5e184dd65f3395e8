"""Dagster resources: what assets, jobs and sensors are given to work with.

Belongs here: thin holders around settings, database, providers, channels and the clock; they connect on first use, so
that definitions load without network. Does not belong here: rules, SQL, or secrets in a resource's configuration,
which the Dagster UI shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr
from sqlalchemy import Connection, Engine

from payments_pipeline.config import Settings
from payments_pipeline.db.engine import get_engine
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.notify.channel import Channel
from payments_pipeline.notify.channels import build_channels, delivery_plan
from payments_pipeline.notify.routes import DeliveryPlan
from payments_pipeline.providers.accounts import ConfiguredProvider
from payments_pipeline.providers.base import Clock
from payments_pipeline.providers.catalogue import build_providers, configured_providers


class ClockResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The time that everything below is told."""

    as_of: str | None = Field(
        default=None,
        description=(
            "ISO 8601 with offset, e.g. 2026-11-01T12:00:00+00:00: time stands still there (demo, tests, a look at the "
            "past). Empty: the wall clock."
        ),
    )
    ahead_seconds: float = Field(
        default=0.0,
        description="How far the outside world's time is ahead of the wall clock: not 0 in a simulated world only.",
    )

    def now(self) -> datetime:
        """The time, UTC and aware.

        Raises:
            ConfigurationError: `as_of` is no time or has no offset.
        """
        if self.as_of is None:
            return datetime.now(UTC)
        try:
            moment = datetime.fromisoformat(self.as_of)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise ConfigurationError(
                f"{self.as_of!r} is not a time with an offset.",
                where="resource clock, as_of",
                remedy="Write it as 2026-11-01T12:00:00+00:00, or leave it empty for the present.",
            )
        return moment.astimezone(UTC)

    def present(self) -> datetime:
        """The wall clock, but never before `now()`.

        When a provider was read, and when a message may be tried again, are facts of the present, also in a run that
        judges as of another time: a reading stamped with a past `as_of` would lose to an older one.
        """
        return max(datetime.now(UTC) + timedelta(seconds=self.ahead_seconds), self.now())


class DatabaseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The project's PostgreSQL, connected on first use; the embedded server where DATABASE_URL is unset."""

    settings: dg.ResourceDependency[Settings]

    @property
    def engine(self) -> Engine:
        """The engine of this process."""
        return get_engine(self.settings)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """One connection, for reading."""
        with self.engine.connect() as connection:
            yield connection


class ProvidersResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The configured provider accounts; their clients are built on first use and shared by the steps of a run."""

    settings: dg.ResourceDependency[Settings]
    _built: list[ConfiguredProvider] = PrivateAttr(default_factory=list)

    @property
    def configured(self) -> frozenset[str]:
        """Names of the providers that have credentials."""
        return configured_providers(self.settings)

    def all_accounts(self, clock: Clock) -> Sequence[ConfiguredProvider]:
        """Every configured account; they share their rate limits with other processes.

        Raises:
            ConfigurationError: those of some account are incomplete or not its own.
        """
        if not self._built:
            self._built.extend(build_providers(self.settings, clock, get_engine(self.settings)))
        return tuple(self._built)

    def accounts(self, name: str, clock: Clock) -> Sequence[ConfiguredProvider]:
        """The accounts at the provider called `name`, at least one.

        Raises:
            ConfigurationError: it has no credentials, or those of some account are incomplete or not its own.
        """
        found = [provider for provider in self.all_accounts(clock) if provider.name == name]
        if not found:
            raise ConfigurationError(
                f"{name} has no credentials.", where="environment", remedy="Set them: see .env.example."
            )
        return found


class ChannelsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where notifications go: channels by name, only those configured."""

    settings: dg.ResourceDependency[Settings]

    def channels(self) -> Mapping[str, Channel]:
        """The channels, ready to send.

        Raises:
            ConfigurationError: a channel's address is malformed.
        """
        return build_channels(self.settings)

    def plan(self) -> DeliveryPlan:
        """Who is told what, and quiet hours.

        Raises:
            ConfigurationError: the quiet hours are malformed.
        """
        return delivery_plan(self.settings)


def default_resources(settings: Settings, as_of: datetime | None = None, ahead_seconds: float = 0.0) -> dict[str, Any]:
    """Every resource under the name that assets, jobs and sensors ask for.

    Args:
        settings: whose credentials and database.
        as_of: fixed time, UTC and aware; None: the wall clock.
        ahead_seconds: see ClockResource.
    """
    return {
        "settings": settings,
        "clock": ClockResource(as_of=as_of.isoformat() if as_of else None, ahead_seconds=ahead_seconds),
        "database": DatabaseResource(settings=settings),
        "providers": ProvidersResource(settings=settings),
        "channels": ChannelsResource(settings=settings),
    }
