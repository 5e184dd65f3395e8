"""The events feed: how far back it goes, which events a request asks for, and what one looks like.

Belongs here: the shape of an event and the feed's own filters. Does not belong here: which change tells which event
(stripe_life*.py). Source: https://docs.stripe.com/api/events.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from payments_pipeline.sandbox.state import Json
from payments_pipeline.sandbox.stripe_errors import refuse
from payments_pipeline.sandbox.stripe_parameters import Parameters

FEED_SECONDS = 30 * 24 * 3600
MAX_TYPES = 20

_NO_REQUEST: Json = {"id": None, "idempotency_key": None}


def event(
    event_id: str,
    kind: str,
    obj: Json,
    *,
    created: int,
    api_version: str,
    livemode: bool,
    pending_webhooks: int,
    previous: Json | None = None,
) -> Json:
    """An event of type `kind` at `created` (Unix seconds) about `obj` as it is now.

    Args:
        previous: the object before the change; what differs becomes `previous_attributes`.
    """
    told: Json = {"object": dict(obj)}
    if previous is not None:
        told["previous_attributes"] = {
            name: previous.get(name) for name, value in obj.items() if previous.get(name) != value
        }
    return {
        "id": event_id,
        "object": "event",
        "api_version": api_version,
        "created": created,
        "data": told,
        "livemode": livemode,
        "pending_webhooks": pending_webhooks,
        "request": _NO_REQUEST,
        "type": kind,
    }


def event_tests(params: Parameters) -> list[Callable[[Json], bool]]:
    """Conditions for `type` (with `*` as a wildcard) or `types`, and `delivery_success`."""
    kind, kinds = params.plain.get("type"), params.arrays.get("types")
    if kind and kinds:
        raise refuse(400, "You may only specify one of these parameters: type, types.", param="type")
    tests: list[Callable[[Json], bool]] = []
    if kind and "*" in kind:
        pattern = re.compile(".*".join(map(re.escape, kind.split("*"))))
        tests.append(lambda event: pattern.fullmatch(str(event.get("type"))) is not None)
    elif kind:
        tests.append(lambda event: event.get("type") == kind)
    elif kinds:
        wanted = _named_types(kinds)
        tests.append(lambda event: event.get("type") in wanted)
    delivered = params.flag("delivery_success")
    if delivered is not None:
        tests.append(lambda event: (event.get("pending_webhooks") == 0) is delivered)
    return tests


def _named_types(kinds: list[str]) -> frozenset[str]:
    """Only `type` takes wildcards by Stripe's reference; refused here, so that nobody relies on the contrary."""
    if len(kinds) > MAX_TYPES:
        raise refuse(400, f"You may only specify up to {MAX_TYPES} types.", param="types")
    for kind in kinds:
        if "*" in kind or not kind:
            raise refuse(400, f"Invalid types: '{kind}' is not an event type.", param="types")
    return frozenset(kinds)
