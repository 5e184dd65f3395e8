"""Bad days at the providers, drawn from a seed: interruptions that pass, and a resource that can't be read in full.

Belongs here: which calls are spoiled. Does not belong here: acting the failures out (failures.py, server.py).
"""

from __future__ import annotations

import random

from payments_pipeline.sandbox.failures import FaultPlan

# Each list that is read: provider, path. Of those that come in pages, how many there are depends on the world.
LISTS = (
    ("stripe", "/v1/payment_intents"),
    ("stripe", "/v1/charges"),
    ("stripe", "/v1/refunds"),
    ("stripe", "/v1/disputes"),
    ("stripe", "/v1/payouts"),
    ("stripe", "/v1/balance_transactions"),
    ("stripe", "/v1/events"),
    ("nowpayments", "/v1/payment"),
    ("okx", "/api/v5/asset/deposit-history"),
)
MAX_PAGE = 3


def interrupt(plan: FaultPlan, rng: random.Random, *, hang_seconds: float) -> None:
    """Interruptions on random pages of every list, each soon over: 429, 500, a time-out, a cut body, broken JSON.

    Args:
        hang_seconds: how long a hanging call hangs; longer than the client's time-out.
    """
    for provider, path in LISTS:
        page = rng.randint(1, MAX_PAGE)
        match rng.choice(("rate_limit", "server_error", "hang", "cut_body", "invalid_json")):
            case "rate_limit":
                plan.rate_limit(provider, path, page=page, retry_after=rng.choice((None, 0.2)))
            case "server_error":
                plan.server_error(provider, path, page=page, times=rng.randint(1, 2))
            case "hang":
                plan.hang(provider, path, page=page, seconds=hang_seconds)
            case "cut_body":
                plan.cut_body(provider, path, page=page)
            case _:
                plan.invalid_json(provider, path, page=page)


def leave_incomplete(plan: FaultPlan, rng: random.Random) -> str:
    """From a random page on, one list answers 500 for ever; returns which, in words."""
    provider, path = rng.choice(LISTS)
    page = rng.randint(1, MAX_PAGE)
    # A list with fewer pages than that fails at its first.
    plan.server_error(provider, path, page=page, times=None)
    if page > 1 and path not in {"/v1/payment_intents", "/v1/charges"}:
        plan.server_error(provider, path, page=1, times=None)
        page = 1
    return f"{provider} {path} from page {page}"
