"""Incremental runs with few changes among many stored objects, and the server that tells of the changes.

Belongs here: stored rows made by SQL, a feed of changes, one incremental run. Does not belong here: first loads
(ingest_ours.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
from ingest_ours import INTENTS, clock, provider_at
from instant import ACCOUNT
from sqlalchemy import Engine, text

from payments_pipeline.ingest.incremental import incremental
from payments_pipeline.ingest.watermarks import move
from payments_pipeline.sandbox.objects import stripe_intent

AGE = timedelta(days=300)
SEED = """
INSERT INTO recon.stripe_payment_intents (
    account, livemode, object_id, status, currency, amount, amount_received, amount_capturable, capture_method,
    customer_id, metadata_user_id, metadata_payment_id, description, created_at, charge_id, charge_status,
    charge_captured, charge_created_at, charge_amount_captured, charge_amount_refunded, charge_refunded,
    charge_disputed, card_network, read_at, digest
)
SELECT
    :account, FALSE, 'pi_' || lpad(n::text, 24, '0'), 'succeeded', 'usd', 19.99, 19.99, 0, 'automatic',
    'cus_' || lpad((n % 5000)::text, 14, '0'), (n % 5000)::text, n::text, 'Monthly plan',
    :newest - n * :step, 'ch_' || lpad(n::text, 24, '0'), 'succeeded', TRUE, :newest - n * :step, 19.99, 0, FALSE,
    FALSE, 'visa', :newest, n
FROM generate_series(1, :stored) AS n
"""


class Changes:
    """Answers the feed with one event for each of `changed` intents, spread evenly over `stored`; nothing is new."""

    def __init__(self, stored: int, changed: int, at: float) -> None:
        self._at = int(at)
        every = stored // changed
        self._ids = [f"pi_{number * every + 1:024}" for number in range(changed)]
        self._events = [self._event(number) for number in range(changed)]
        self._intents = {name: self._intent(name) for name in self._ids}

    def answer(self, target: str) -> bytes | None:
        """See `instant.Answers`."""
        parts = urlsplit(target)
        if parts.path == "/v1/account":
            return ACCOUNT
        if parts.path == "/v1/payment_intents":
            return b'{"object":"list","has_more":false,"data":[]}'
        if parts.path == "/v1/events":
            return self._page(dict(parse_qsl(parts.query)))
        return self._intents.get(parts.path.rpartition("/")[2])

    def _page(self, params: dict[str, str]) -> bytes:
        low, high = int(params.get("created[gte]", 0)), int(params.get("created[lt]", 1 << 40))
        inside = self._events if low <= self._at < high else []
        start = int(params["starting_after"].removeprefix("evt_")) + 1 if "starting_after" in params else 0
        page = inside[start : start + 100]
        return orjson.dumps({"object": "list", "has_more": start + 100 < len(inside), "data": page})

    def _event(self, number: int) -> dict[str, Any]:
        subject = {"id": self._ids[number], "object": "payment_intent"}
        return {
            "id": f"evt_{number}", "object": "event", "type": "payment_intent.succeeded", "livemode": False,
            "created": self._at, "data": {"object": subject},
        }  # fmt: skip

    def _intent(self, name: str) -> bytes:
        created = datetime.fromtimestamp(self._at, clock().tzinfo) - timedelta(days=100)
        return orjson.dumps(
            stripe_intent(
                name,
                amount=1999,
                currency="usd",
                created=created,
                status="canceled",
                customer="cus_1",
                metadata={},
                description="Changed",
            )
        )


def store(engine: Engine, account: str, stored: int) -> None:
    """Rows made by the server itself, evenly over 300 days."""
    newest = clock() - timedelta(days=1)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE recon.stripe_payment_intents, recon.raw_json"))
        given = {"account": account, "newest": newest, "step": AGE / stored, "stored": stored}
        connection.execute(text(SEED), given)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE recon.stripe_payment_intents"))
        connection.execute(text("CHECKPOINT"))  # none waiting to disturb what comes next


def bring_up(engine: Engine, base: str) -> int:
    """One incremental run that reads an hour of the feed. Returns rows written."""
    provider = provider_at(base, engine)
    account = provider.identify()
    now = clock()
    with engine.begin() as connection:
        connection.execute(
            text("TRUNCATE recon.coverage, recon.confirmations, recon.watermarks, recon.feed_events CASCADE")
        )
        start = now - timedelta(hours=1)
        move(connection, account, INTENTS, listed_to=start, told_to=start, run_id=None, at=now)
    made = incremental(engine, provider, account, as_of=now, run_id=None, clock=clock, resources={INTENTS})
    for one in made:
        assert one.complete, one.error
    return sum(one.rows_written for one in made)
