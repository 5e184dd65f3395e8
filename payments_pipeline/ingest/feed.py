"""The provider's feed of changes: what it tells of a window, without what was dealt with before.

Belongs here: collecting, dropping repeats. Does not belong here: reading the objects that changed (incremental.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from payments_pipeline.providers.base import Change, ChangeFeed, Provider, Window

UNNAMED = ""
"""Stands for the object of an event that does not say of what it speaks."""


@dataclass(frozen=True, slots=True)
class News:
    """What a feed told: changes by resource and object, and events that could not be read."""

    changes: dict[str, dict[str, list[Change]]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    def of(self, resource: str) -> Mapping[str, list[Change]]:
        """Changes of one resource, by object id."""
        return self.changes.get(resource, {})


def followed(provider: Provider) -> frozenset[str]:
    """Resources whose changes the provider tells; none where it has no feed."""
    if not isinstance(provider, ChangeFeed):
        return frozenset()
    return frozenset(name for name, resource in provider.resources.items() if resource.spec.event_types)


def listen(
    feed: ChangeFeed,
    window: Window,
    *,
    since: Mapping[str, datetime],
    dealt_with: Mapping[str, Collection[tuple[str, str]]],
) -> News:
    """Read the feed over a window.

    Args:
        since: by resource that matters: changes before this moment are old news.
        dealt_with: by resource: (event id, object id) of what needs no second look.

    Raises:
        PaymentsPipelineError: the feed could not be read to its end.
    """
    news = News()
    known = set().union(*dealt_with.values())
    for page in feed.changes(window):
        news.unreadable.extend(event for event in page.unreadable if (event, UNNAMED) not in known)
        for change in page.changes:
            start = since.get(change.resource)
            if start is None or change.at < start:
                continue
            if (change.event_id, change.object_id) not in dealt_with.get(change.resource, ()):
                news.changes.setdefault(change.resource, {}).setdefault(change.object_id, []).append(change)
    return news
