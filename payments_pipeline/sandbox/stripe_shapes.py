"""Stripe objects beyond payments in Stripe's own JSON: disputes, money that moves, subscriptions, customers, checkout.

Belongs here: shapes of new objects. Does not belong here: intents, charges and refunds (objects.py), or how an object
changes (stripe_life.py). Amounts in minor units, times in Unix seconds. Nested constants are shared: replace, never
change them. Source: Stripe OpenAPI.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

DAY = 24 * 3600
_PERIODS = {"day": DAY, "week": 7 * DAY, "month": 30 * DAY, "year": 365 * DAY}
_REPORTING = {"transfer_refund": "transfer_reversal", "adjustment": "dispute", "payout_failure": "payout_reversal"}


def sublist(url: str, data: list[Json]) -> Json:
    """A list inside an object."""
    return {"object": "list", "data": data, "has_more": False, "total_count": len(data), "url": url}


def balance_transaction(
    txn_id: str, *, kind: str, amount: int, fee: int, currency: str, source: str, created: int, delay: int
) -> Json:
    """What a charge, refund, payout and so on does to the balance; available `delay` seconds later."""
    fees = [{"amount": fee, "application": None, "currency": currency, "description": "Stripe processing fees",
             "type": "stripe_fee"}] if fee else []  # fmt: skip
    return {
        "id": txn_id, "object": "balance_transaction", "amount": amount, "available_on": created + delay,
        "balance_type": "payments", "created": created, "currency": currency, "description": None,
        "exchange_rate": None, "fee": fee, "fee_details": fees, "net": amount - fee,
        "reporting_category": _REPORTING.get(kind, kind), "source": source,
        "status": "pending" if delay else "available", "type": kind,
    }  # fmt: skip


def dispute(dispute_id: str, charge: Json, *, amount: int, reason: str, status: str, created: int) -> Json:
    """A dispute of `charge`, evidence due a week later."""
    return {
        "id": dispute_id, "object": "dispute", "amount": amount, "balance_transactions": [], "charge": charge["id"],
        "created": created, "currency": charge["currency"], "enhanced_eligibility_types": [], "evidence": {},
        "evidence_details": {
            "due_by": created + 7 * DAY, "enhanced_eligibility": {}, "has_evidence": False, "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": status.startswith("warning"), "livemode": charge.get("livemode", False),
        "metadata": {}, "network_reason_code": "83", "payment_intent": charge.get("payment_intent"),
        "payment_method_details": {
            "card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "83"}, "type": "card",
        },
        "reason": reason, "status": status,
    }  # fmt: skip


def payout(payout_id: str, *, amount: int, currency: str, created: int, arrival: int, automatic: bool) -> Json:
    """A payout on its way to the bank."""
    return {
        "id": payout_id, "object": "payout", "amount": amount, "application_fee": None, "application_fee_amount": None,
        "arrival_date": arrival, "automatic": automatic, "balance_transaction": None, "created": created,
        "currency": currency, "description": "STRIPE PAYOUT", "destination": "ba_sandbox",
        "failure_balance_transaction": None, "failure_code": None, "failure_message": None, "livemode": False,
        "metadata": {}, "method": "standard", "original_payout": None, "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable", "reversed_by": None,
        "source_type": "card", "statement_descriptor": None, "status": "pending", "trace_id": None,
        "type": "bank_account",
    }  # fmt: skip


def transfer(
    transfer_id: str, *, amount: int, currency: str, destination: str, source_transaction: str | None, created: int
) -> Json:
    """A transfer to a connected account."""
    return {
        "id": transfer_id, "object": "transfer", "amount": amount, "amount_reversed": 0, "balance_transaction": None,
        "created": created, "currency": currency, "description": None, "destination": destination,
        "destination_payment": "py_" + transfer_id[3:], "livemode": False, "metadata": {},
        "reversals": sublist(f"/v1/transfers/{transfer_id}/reversals", []), "reversed": False,
        "source_transaction": source_transaction, "source_type": "card",
        "transfer_group": None,
    }  # fmt: skip


def transfer_reversal(reversal_id: str, whole: Json, *, amount: int, created: int) -> Json:
    """A reversal of `whole`, a transfer, or of a part of it."""
    return {
        "id": reversal_id, "object": "transfer_reversal", "amount": amount, "balance_transaction": None,
        "created": created, "currency": whole["currency"], "destination_payment_refund": "pyr_" + reversal_id[4:],
        "metadata": {}, "source_refund": None, "transfer": whole["id"],
    }  # fmt: skip


def subscription(
    subscription_id: str, *, customer: str, price: str, amount: int, currency: str, interval: str, status: str,
    metadata: dict[str, str], created: int,
) -> Json:  # fmt: skip
    """A subscription to one price; `interval` is day, week, month (taken as 30 days) or year."""
    item_id = "si_" + subscription_id[4:]
    item = {
        "id": item_id, "object": "subscription_item", "created": created,
        "current_period_start": created, "current_period_end": created + _PERIODS[interval], "metadata": {},
        "price": {
            "id": price, "object": "price", "active": True, "currency": currency, "livemode": False, "metadata": {},
            "product": "prod_sandbox", "recurring": {"interval": interval, "interval_count": 1}, "type": "recurring",
            "unit_amount": amount,
        },
        "quantity": 1, "subscription": subscription_id,
    }  # fmt: skip
    return {
        "id": subscription_id, "object": "subscription", "application": None, "automatic_tax": {"enabled": False},
        "billing_cycle_anchor": created, "cancel_at": None, "cancel_at_period_end": False, "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically", "created": created, "currency": currency, "customer": customer,
        "default_payment_method": None, "description": None, "ended_at": None,
        "items": sublist(f"/v1/subscription_items?subscription={subscription_id}", [item]), "latest_invoice": None,
        "livemode": False, "metadata": metadata, "start_date": created, "status": status, "trial_end": None,
        "trial_start": None,
    }  # fmt: skip


def customer(customer_id: str, *, email: str | None, name: str | None, metadata: dict[str, str], created: int) -> Json:
    """A customer without payment methods."""
    return {
        "id": customer_id, "object": "customer", "address": None, "balance": 0, "created": created, "currency": None,
        "default_source": None, "delinquent": False, "description": None, "discount": None, "email": email,
        "invoice_prefix": customer_id[-8:].upper(), "livemode": False, "metadata": metadata, "name": name,
        "phone": None, "preferred_locales": [], "shipping": None, "tax_exempt": "none",
    }  # fmt: skip


def checkout_session(
    session_id: str, *, mode: str, amount: int, currency: str, customer: str | None, reference: str | None,
    metadata: dict[str, str], created: int,
) -> Json:  # fmt: skip
    """An open Checkout Session, valid for a day; `reference` is the application's `client_reference_id`."""
    return {
        "id": session_id, "object": "checkout.session", "amount_subtotal": amount, "amount_total": amount,
        "automatic_tax": {"enabled": False, "status": None}, "cancel_url": "https://example.com/cancel",
        "client_reference_id": reference, "created": created, "currency": currency, "customer": customer,
        "customer_details": None, "customer_email": None, "expires_at": created + DAY, "invoice": None,
        "livemode": False, "metadata": metadata, "mode": mode, "payment_intent": None, "payment_link": None,
        "payment_method_types": ["card"], "payment_status": "unpaid", "setup_intent": None, "status": "open",
        "subscription": None, "success_url": "https://example.com/thanks", "ui_mode": "hosted_page",
        "url": f"https://checkout.example.com/{session_id}",
    }  # fmt: skip
