"""Payouts, for the repair that makes one anew: the application's row and Stripe's own word on it, as facts.

Belongs here: reading. Does not belong here: whether to pay again (retry_payout.py). What Stripe is asked for decides
what "again" can be: a transfer to a payee's connected account that came back, or was never made, is followed by a new
transfer; a payout to our own bank by a new payout. PayPal and others can't be asked from here.
Source: https://docs.stripe.com/api/transfers, https://docs.stripe.com/api/payouts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from payments_pipeline.core.money import from_stripe
from payments_pipeline.db.sql import named
from payments_pipeline.errors import ConfigurationError, MalformedObjectError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.facts import Facts, jsonable

if TYPE_CHECKING:
    from payments_pipeline.providers.stripe_writes import StripeWrites

TRANSFER, PAYOUT = "tr_", "po_"
MARKED = "repair"
INSTEAD = "instead_of"
"""Keys in the metadata of what we asked for: our mark, and what it replaces."""
SKEW = 3600
"""Seconds by which the application's clock may be ahead of Stripe's."""
_GONE = frozenset({"failed", "canceled"})


def read_payout(connection: Connection, target: Mapping[str, str], desk: Desk | None) -> Facts:
    """Both sides.

    Returns:
        ``payout``: the application's row, ``rows`` of them; ``ref``: what came back at Stripe, None: it was never
        there; ``account``; ``source``: Stripe's transfer or payout that is made anew, or the transfer by which the same
        payee was paid before; ``made``: what repairs made in its place, newest first; ``strange``: ids of others that
        may hold the money since.

    Raises:
        ConfigurationError: no provider may be asked from here. TransientError: Stripe can't be read now.
        MalformedObjectError: what it answers lacks something.
    """
    if desk is None:
        raise ConfigurationError("No provider may be asked from here.", where="stripe", remedy="Configure its key.")
    place = {"payout_id": target.get("payout_id"), "provider_ref": target.get("provider_ref")}
    rows = connection.execute(named("remediation/payout.sql"), place).mappings().all()
    payout = (
        {key: jsonable(value) for key, value in rows[0].items()} | {"amount": plain(rows[0]["amount"])}
        if rows
        else None
    )
    known = place["provider_ref"] or (payout or {}).get("paid_before_by")
    accounts = _accounts(connection, known) if known else []
    account = accounts[0] if len(accounts) == 1 else None
    facts: Facts = {
        "payout": payout, "rows": len(rows), "ref": place["provider_ref"], "account": account,
        "what": place["provider_ref"] or f"payout {(payout or {}).get('payout_id')}",
        "source": None, "made": [], "strange": [],
    }  # fmt: skip
    if account is None or known is None:
        return facts
    stripe = desk.stripe(account)
    try:
        return facts | (_bank(stripe, facts) if known.startswith(PAYOUT) else _transfers(connection, stripe, facts))
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedObjectError(
            f"Stripe's answer lacks {error}.", where=f"stripe {known}", remedy="Look at the object at Stripe."
        ) from error


def _accounts(connection: Connection, ref: str) -> Sequence[str]:
    return connection.execute(named("remediation/account_of.sql"), {"provider_ref": ref}).scalars().all()


def _transfers(connection: Connection, stripe: StripeWrites, facts: Facts) -> Facts:
    payout = facts["payout"] or {}
    ref = facts["ref"] or payout["paid_before_by"]
    found = stripe.transfer(ref)
    if found is None:
        return {}
    reversals = stripe.reversals(ref) if facts["ref"] else []
    source = _transfer(found) | {"returned_on_purpose": any(item.get("source_refund") for item in reversals)}
    since = int(found["created"]) if facts["ref"] else _seconds(payout["created_at"]) - SKEW
    listed = [_transfer(item) for item in _whole(stripe.transfers_since(source["destination"], since), ref)]
    others = [item["id"] for item in listed]
    place = {"transfers": others, "payout_id": payout.get("payout_id")}
    explained = set(connection.execute(named("remediation/transfers_of_others.sql"), place).scalars())
    same = [
        item["id"]
        for item in listed
        if item["mark"] is None
        and item["id"] not in explained | {ref}
        and not item["back"]
        and (item["amount"], item["currency"]) == (payout.get("amount"), payout.get("currency"))
    ]
    return {"source": source, "made": _made(listed, facts), "strange": sorted(same)}


def _bank(stripe: StripeWrites, facts: Facts) -> Facts:
    ref = facts["ref"]
    found = stripe.payout(ref)
    if found is None:
        return {}
    source = _bank_payout(found)
    listed = [_bank_payout(item) for item in _whole(stripe.payouts_since(int(found["created"])), ref)]
    left = [
        item["id"]
        for item in listed
        if item["mark"] is None
        and item["id"] != ref
        and item["status"] not in _GONE
        and item["currency"] == source["currency"]
    ]
    return {"source": source, "made": _made(listed, facts), "strange": sorted(left)}


def _made(listed: list[Facts], facts: Facts) -> list[Facts]:
    return [item for item in listed if item["mark"] is not None and item["instead_of"] == facts["what"]]


def _whole(listed: list[dict[str, Any]], ref: str) -> list[dict[str, Any]]:
    """Refuses a list that may have more pages: what was made since must be known in full."""
    from payments_pipeline.providers.stripe_writes import MOST_LISTED  # Stripe's client loads slowly

    if len(listed) < MOST_LISTED:
        return listed
    raise MalformedObjectError(
        f"Since then {MOST_LISTED} or more were made: too many to tell whether it was one of them.",
        where=f"stripe {ref}",
        remedy="Look at Stripe, and pay out again by hand.",
    )


def _transfer(item: Mapping[str, Any]) -> Facts:
    currency = item["currency"]
    return {
        "id": item["id"],
        "destination": item["destination"],
        "currency": currency.upper(),
        "amount": _major(item["amount"], currency),
        "back": bool(item["amount_reversed"]),
        "reversed": int(item["amount_reversed"]) >= int(item["amount"]),
        "status": "reversed" if item["amount_reversed"] else "paid",
        "group": item.get("transfer_group"),
        "mark": _word(item, MARKED),
        "instead_of": _word(item, INSTEAD),
    }


def _bank_payout(item: Mapping[str, Any]) -> Facts:
    currency = item["currency"]
    return {
        "id": item["id"],
        "currency": currency.upper(),
        "amount": _major(item["amount"], currency),
        "status": item["status"],
        "automatic": bool(item["automatic"]),
        "failure": item.get("failure_code"),
        "mark": _word(item, MARKED),
        "instead_of": _word(item, INSTEAD),
    }


def _major(amount: Any, currency: str) -> str:
    """As a text of the application's amounts compares: without zeros at the end."""
    return plain(from_stripe(int(amount), currency))


def plain(amount: Decimal) -> str:
    """``16`` of 16.00."""
    return format(amount.normalize(), "f")


def _word(item: Mapping[str, Any], key: str) -> str | None:
    metadata = item.get("metadata")
    found = metadata.get(key) if isinstance(metadata, dict) else None
    return None if found is None else str(found)


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())
