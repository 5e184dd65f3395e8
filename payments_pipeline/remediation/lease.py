"""How long an action that is under way belongs to whoever began it: derived from the time-outs of provider calls. Pure.

Belongs here: the arithmetic, and what a stored intent looks like. Does not belong here: taking a lease (effects.py).

A worker that lives holds the action's row lock through its call, and nobody can take over. The lease is for one that
does not, or whose connection to the database broke while its call went on: a call is begun only when its longest
duration fits into what is left of the lease, so that no lease ends while its call may still be under way.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Row

from payments_pipeline.providers.desk import Patience
from payments_pipeline.remediation.facts import Facts, canonical
from payments_pipeline.remediation.kinds import Request

PROVIDER_SECONDS = 30.0
"""What a provider may still do about a call after we have hung up."""
PAUSE_SECONDS = 60.0
"""For locks, and for pauses between the tries of a reading; where they are longer, no call is made."""


def call_seconds(patience: Patience) -> float:
    """The longest that one call that changes something may last: to connect, to answer, and what it does unheard.

    It is sent once: only reading is repeated.
    """
    return 2 * patience.timeout + PROVIDER_SECONDS


def lease_seconds(patience: Patience) -> float:
    """For a whole attempt: a reading with all its tries, then the call."""
    return patience.timeout * patience.attempts + PAUSE_SECONDS + call_seconds(patience)


def new_intent(action: Row[Any], request: Request, *, attempt: int) -> Facts:
    """What is stored before the call. The key is the same for the same attempt of the same action, whoever makes it."""
    seed = canonical([action.action_id, action.kind, action.proposed_at, action.precondition_digest, attempt])
    return {
        "provider": "stripe",
        "account": request.account,
        "object_id": request.object_id,
        "path": request.path,
        "parameters": dict(request.parameters),
        "attempt": attempt,
        "key": f"repair-{action.action_id}-{attempt}-{hashlib.sha256(seed.encode()).hexdigest()[:32]}",
    }


def request_of(intent: Facts) -> Request:
    """What a stored intent asks for."""
    return Request(intent["account"], intent["object_id"], intent["path"], intent["parameters"])
