"""Gathers what both sides, the inbox, the findings and the audit trail hold about a user or a payment.

Belongs here: reading. Does not belong here: order in time (timeline.py), tables for people (present_stories.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.db.sql import named
from payments_pipeline.errors import PermanentError

Row = Mapping[str, Any]
MOST = 6
"""Of what a word may mean: enough to say which of them to name."""
MOST_WEBHOOKS = 500


@dataclass(frozen=True)
class Story:
    """All that is known. Times are aware and in UTC, amounts exact and in major units; ids are text.

    Attributes:
        user: the application's row with its plan; None where nobody is known.
        entitlement: what the user should have by the money, and why; None where no payment gives anything.
        payments: the application's payments.
        objects: the providers' payments, deposits, refunds and disputes, with how they were linked and matched.
        webhooks: what the inbox kept. events: what happened to the subscription.
        findings: live and past. trail: what people and repairs did.
    """

    user: Row | None
    entitlement: Row | None
    payments: Sequence[Row] = field(default_factory=tuple)
    objects: Sequence[Row] = field(default_factory=tuple)
    webhooks: Sequence[Row] = field(default_factory=tuple)
    events: Sequence[Row] = field(default_factory=tuple)
    findings: Sequence[Row] = field(default_factory=tuple)
    trail: Sequence[Row] = field(default_factory=tuple)

    @property
    def live(self) -> list[Row]:
        """Findings that are not resolved."""
        return [finding for finding in self.findings if finding["status"] != "resolved"]


def user_story(connection: Connection, word: str) -> Story:
    """The story of the user whom `word` names: an id, an e-mail address, a name, or a customer id of Stripe.

    Raises:
        PermanentError: nobody, or more than one user, is called so.
    """
    user = _only(_rows(connection, "users", word=word.strip(), most=MOST), word, "user", "user_id", "username")
    payments = _rows(connection, "user_payments", user_ref=user["user_id"])
    return _story(connection, user, payments, words=(), only_payment=None)


def payment_story(connection: Connection, word: str) -> Story:
    """The story of the payment that `word` names: an id at either side, a checkout, a charge, or a transaction hash.

    What only a provider knows is shown as well, without a payment and, where nobody is linked, without a user.

    Raises:
        PermanentError: neither side knows it, or the application has several payments of that name.
    """
    word = word.strip()
    payments = _rows(connection, "payments", words=[word], most=MOST)
    if not payments:
        found = _objects(connection, payments, (), [word])
        names = [one["provider_ref"] for one in found]
        linked = [ref for one in found for ref in (one["payment_ref"], one["matched_payment"]) if ref]
        payments = _rows(connection, "payments", words=sorted({*names, *linked}), most=MOST)
        if not found and not payments:
            raise PermanentError(
                f"Neither the application nor a provider knows {word!r}.",
                where="payment",
                remedy="Name a payment's id at either side, or a transaction hash; coverage shows what was read.",
            )
    if len(payments) > 1:
        _only(payments, word, "payment", "payment_id", "provider_ref")
    user_id = payments[0]["user_id"] if payments else None
    users = _rows(connection, "users", word=user_id, most=MOST) if user_id else []
    user = next((one for one in users if one["user_id"] == user_id), None)
    only = payments[0]["payment_id"] if payments else None
    return _story(connection, user, payments, words=(word,), only_payment=only, customers=())


def _story(
    connection: Connection,
    user: Row | None,
    payments: Sequence[Row],
    *,
    words: Iterable[str],
    only_payment: str | None,
    customers: Sequence[str] | None = None,
) -> Story:
    """Everything else, once it is known who and which payments; of one payment, not the user's other affairs."""
    user_ref = None if user is None else user["user_id"]
    if customers is None:
        customers = [user["stripe_customer_id"]] if user and user["stripe_customer_id"] else []
    objects = _objects(connection, payments, customers, list(words))
    ids = [payment["payment_id"] for payment in payments]
    refs = sorted({one["provider_ref"] for one in objects} | _present(payments, "provider_ref") | set(words))
    whose = {"payments": ids, "refs": refs, "user_ref": user_ref if only_payment is None and not words else None}
    entitlement = _rows(connection, "user_entitlement", user_ref=user_ref) if user_ref else []
    events = (
        _rows(connection, "events", user_ref=user_ref, only_payment=only_payment)
        if user_ref and (only_payment or not words)
        else []
    )
    return Story(
        user=user,
        entitlement=entitlement[0] if entitlement else None,
        payments=payments,
        objects=objects,
        webhooks=_rows(connection, "webhooks", **whose, most=MOST_WEBHOOKS),
        events=events,
        findings=_rows(connection, "findings", **whose),
        trail=_rows(connection, "trail", user_ref=whose["user_ref"], payments=ids),
    )


def _objects(
    connection: Connection, payments: Sequence[Row], customers: Sequence[str], words: Sequence[str]
) -> list[Row]:
    refs = sorted(_present(payments, "provider_ref") | set(words))
    hashes = sorted(_present(payments, "tx_hash") | set(words))
    ids = [payment["payment_id"] for payment in payments]
    return _rows(connection, "objects", refs=refs, customers=list(customers), payments=ids, tx_hashes=hashes)


def _present(rows: Iterable[Row], column: str) -> set[str]:
    return {row[column] for row in rows if row.get(column)}


def _only(rows: Sequence[Row], word: str, noun: str, key: str, more: str) -> Row:
    if not rows:
        raise PermanentError(
            f"There is no {noun} {word!r}.", where=noun, remedy="Name an id, an e-mail address or a customer id."
        )
    exact = [row for row in rows if row[key] == word.strip()]
    if len(exact or rows) > 1:
        named_so = ", ".join(f"{row[key]} ({row[more]})" for row in rows[: MOST - 1])
        raise PermanentError(f"{word!r} names several {noun}s: {named_so}.", where=noun, remedy="Name one by its id.")
    return (exact or rows)[0]


def _rows(connection: Connection, name: str, **values: Any) -> list[Row]:
    return [dict(row) for row in connection.execute(named(f"lookup/{name}.sql"), values).mappings()]
