"""Who is at an action, and until when: what is stored before a provider is asked.

Belongs here: the claim with its intent and lease. Does not belong here: how long a lease is (lease.py), when an action
is claimed and what follows (effects.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from payments_pipeline.db.sql import named
from payments_pipeline.providers.desk import Patience
from payments_pipeline.remediation.facts import Facts, canonical
from payments_pipeline.remediation.lease import lease_seconds


def engaged(connection: Connection, action: Row[Any], intent: Facts) -> str | None:
    """Two findings may ask for the same: the second waits for what becomes of the first, and is then judged anew."""
    place = {"object_id": intent["object_id"]}
    connection.execute(named("remediation/object_lock.sql"), place)
    other = connection.execute(named("remediation/at_it.sql"), place | {"action_id": action.action_id}).scalar()
    return None if other is None else f"Action {other} is at the same object."


def store_claim(
    connection: Connection, action: Row[Any], intent: Facts, *, token: str, patience: Patience, at: datetime | None
) -> None:
    """What will be asked, and whose turn it is.

    Args:
        token: names this worker's turn.
        at: when the action is begun, which charges the caps; None: it was begun before.
    """
    row = {"action_id": action.action_id, "intent": canonical(intent), "token": token, "at": at}
    connection.execute(named("remediation/claim_action.sql"), row | {"seconds": lease_seconds(patience)})


def lease_left(connection: Connection, action_id: int) -> float:
    """Seconds by the database's clock; below 0: it has ended."""
    found = connection.execute(named("remediation/lease_left.sql"), {"action_id": action_id}).scalar()
    return float(found or 0.0)
