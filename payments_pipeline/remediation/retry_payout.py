"""Pays out again what did not arrive: a new transfer to the payee, or a new payout to our bank. Never twice.

Belongs here: the steps of this one repair. Does not belong here: reading payouts (payouts.py), the order of events
(effects.py). Stripe takes a second transfer as gladly as a first, so each carries a mark of the action and is looked
for by it; and nothing is asked for while anything of the same sum went there since that nobody can explain.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from payments_pipeline.core.money import to_stripe
from payments_pipeline.errors import PreconditionError
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.facts import Facts, digest
from payments_pipeline.remediation.kinds import Money, Order, Progress, Request, Writeback
from payments_pipeline.remediation.one_row import write_one
from payments_pipeline.remediation.payouts import INSTEAD, MARKED, PAYOUT, TRANSFER, plain, read_payout

MARK = f"metadata[{MARKED}]"
REFUSED = frozenset(
    {"failed", "returned", "unclaimed", "rejected", "blocked", "denied", "bounced", "reversed", "refunded", "error"}
)
"""The application's words for a payout that did not arrive; as in the report failed_payouts."""
_GONE = frozenset({"failed", "canceled", "reversed"})
ARRIVED = frozenset({"paid", "completed", "succeeded", "success", "sent"})


class RetryPayout:
    """See the module."""

    name = "retry_payout"
    repeatable = False
    moves_money = True

    def target(self, evidence: Mapping[str, Any]) -> dict[str, str] | None:
        """``payout_id`` of the application, and ``provider_ref`` of what came back (``tr_…``, ``po_…``)."""
        found = {key: str(evidence[key]) for key in ("payout_id", "user_id", "username") if evidence.get(key)}
        ref = str(evidence.get("provider_ref") or "")
        if ref.startswith((TRANSFER, PAYOUT)):
            found["provider_ref"] = ref
        return found if found.keys() & {"payout_id", "provider_ref"} else None

    def lock(self, connection: Connection, target: Mapping[str, str], writeback: Writeback) -> None:
        """Lock the application's row."""
        place = {"payout_id": target.get("payout_id"), "provider_ref": target.get("provider_ref")}
        connection.execute(writeback("lock_payout"), place)

    def read(
        self, connection: Connection, target: Mapping[str, str], *, as_of: datetime, desk: Desk | None = None
    ) -> Facts:
        """See `payouts.read_payout`."""
        del as_of
        return read_payout(connection, target, desk)

    def stake(self, facts: Facts) -> Money | None:
        """What is to be paid out again."""
        return _sum(facts)

    def check(self, facts: Facts, *, as_of: datetime) -> str | None:
        """It came back, or never left; nothing covers it; nothing of that sum went there since."""
        del as_of
        if (reason := _of_application(facts)) is not None:
            return reason
        source = facts["source"]
        if facts["account"] is None:
            return "Stripe has no transfer to this payee that was read: the account to pay to is not known."
        if source is None:
            return f"Stripe account {facts['account']} does not have it."
        return _bank(facts) if source["id"].startswith(PAYOUT) else _transfer(facts)

    def plan(self, facts: Facts, *, as_of: datetime) -> list[Facts]:
        """What is made at Stripe, then the application's row."""
        del as_of
        source, payout, sums = facts["source"], facts["payout"], _sum(facts)
        bank = source["id"].startswith(PAYOUT)
        field = "new payout to our bank" if bank else f"new transfer to {source['destination']}"
        effects = [{"what": "Stripe", "field": field, "before": None, "after": f"{plain(sums.amount)} {sums.currency}"}]
        if payout is not None:
            what = f"payout {payout['payout_id']}"
            after = "in_transit" if bank else "paid"
            effects.append({"what": what, "field": "status", "before": payout["status"], "after": after})
            before = payout["stripe_transfer_id"]
            effects.append(
                {"what": what, "field": "stripe_transfer_id", "before": before, "after": "the new one's"}
            )  # fmt: skip
        return effects

    def request(self, facts: Facts) -> Request:
        """A transfer to where the money went before, or a payout to our default bank account; always with our mark."""
        source, sums = facts["source"], _sum(facts)
        parameters = {
            "amount": str(to_stripe(sums.amount, sums.currency)),
            "currency": sums.currency.lower(),
            MARK: digest(facts)[:40],
        }
        parameters[f"metadata[{INSTEAD}]"] = place = facts["what"]
        if source["id"].startswith(PAYOUT):
            return Request(facts["account"], place, "/v1/payouts", parameters)
        more = {"destination": source["destination"]}
        if facts["ref"] and source["group"]:
            more["transfer_group"] = source["group"]
        return Request(facts["account"], place, "/v1/transfers", parameters | more)

    def progress(self, facts: Facts, request: Request) -> Progress:
        """Done: one with our mark is there. One that came back again is done with: never tried again unseen."""
        ours = _ours(facts, request.parameters[MARK])
        if ours is None:
            return "open" if facts["source"] is not None else "other"
        return "other" if ours["status"] in _GONE else "done"

    def apply(self, connection: Connection, facts: Facts, order: Order, writeback: Writeback) -> None:
        """The application's row, where there is one."""
        payout, made = facts["payout"], _newest(facts)
        if payout is None or payout["stripe_transfer_id"] == made["id"]:
            return
        if payout["status"] not in REFUSED | ARRIVED:
            raise PreconditionError(
                f"It is paid out again, and meanwhile the application's row became {payout['status']}.",
                where=made["id"],
            )
        state = "in_transit" if made["id"].startswith(PAYOUT) else "paid"
        values = {"payout_id": payout["payout_id"], "state": state, "transfer_id": made["id"], "at": order.at}
        write_one(connection, writeback, "set_payout_state", values, where=made["id"])

    def aftermath(self, facts: Facts) -> str | None:
        """Nothing."""
        del facts
        return None

    def touched(self, facts: Facts) -> tuple[str, Mapping[str, list[str]]]:
        """What came back, and what was made instead."""
        resource = "payouts" if facts["source"]["id"].startswith(PAYOUT) else "transfers"
        return facts["account"], {resource: [facts["source"]["id"], *(item["id"] for item in facts["made"])]}

    def verify(self, before: Facts, after: Facts) -> str | None:
        """The row names what was made."""
        del before
        payout, made = after["payout"], _newest(after)
        if payout is None:
            return None
        if payout["stripe_transfer_id"] != made["id"] or payout["status"] in REFUSED:
            return f"app_payouts shows {payout['stripe_transfer_id']}, {payout['status']}; {made['id']} was made."
        return None


def _of_application(facts: Facts) -> str | None:
    """Why the application's side does not ask for it, or can't be helped from here."""
    payout = facts["payout"]
    if payout is None:
        to_our_bank = str(facts["ref"]).startswith(PAYOUT)
        return None if to_our_bank else "The application has no such payout."
    if facts["rows"] != 1:
        return f"{facts['rows']} of the application's payouts name it, not one: a person must decide."
    if payout["paypal_batch_id"] is not None or str(payout["method"]).lower() != "stripe":
        return f"It went through {payout['method']}, which can't be asked from here: look there, and pay out by hand."
    return _covered(facts)


def _covered(facts: Facts) -> str | None:
    """Why the money is, or may be, on its way or there by the application's own word."""
    payout, ref = facts["payout"], facts["ref"]
    if payout["covered_by"] is not None:
        return f"Payout {payout['covered_by']} covers it."
    if payout["stripe_transfer_id"] not in {None, ref}:
        return f"The application says it went with {payout['stripe_transfer_id']}: name that as provider_ref."
    if payout["status"] not in REFUSED and (ref is None or payout["status"] not in ARRIVED):
        return f"The application says {payout['status']}: it may be under way."
    return None


def _transfer(facts: Facts) -> str | None:
    source, payout = facts["source"], facts["payout"]
    if facts["ref"] is not None:
        if not source["reversed"]:
            part = "a part came back" if source["back"] else "nothing came back"
            return f"Stripe says that transfer {source['id']} arrived ({part}): a person must decide."
        if source["returned_on_purpose"]:
            return "It came back because the customer was refunded."
        if (source["amount"], source["currency"]) != (payout["amount"], payout["currency"]):
            return f"Stripe had {source['amount']} {source['currency']}, the application says {payout['amount']}."
    return _strange(facts)


def _bank(facts: Facts) -> str | None:
    source = facts["source"]
    if source["status"] != "failed":
        return f"It is {source['status']} at Stripe."
    if source["automatic"]:
        return (
            "Stripe's own schedule pays it out again, once the bank account is corrected: a second one would be more."
        )
    return _strange(facts)


def _strange(facts: Facts) -> str | None:
    made = [item["id"] for item in facts["made"] if item["status"] not in _GONE]
    if made:
        return f"It was paid out again already: {', '.join(made)}."
    if not facts["strange"]:
        return None
    return f"{', '.join(facts['strange'])} may hold this money already: a person must decide."


def _sum(facts: Facts) -> Money:
    bank = facts["source"]["id"].startswith(PAYOUT)
    whose = facts["source"] if bank else facts["payout"]
    return Money(Decimal(whose["amount"]), whose["currency"])


def _ours(facts: Facts, mark: str) -> Facts | None:
    return next((item for item in facts["made"] if item["mark"] == mark), None)


def _newest(facts: Facts) -> Facts:
    """What the newest repair made."""
    found: Facts = facts["made"][0]
    return found
