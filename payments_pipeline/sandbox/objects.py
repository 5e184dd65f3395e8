"""Provider objects in the providers' own JSON: field names, nesting, units and types as their APIs send them.

Belongs here: shapes (Stripe PaymentIntent, Charge, Refund; NOWPayments payment; OKX deposit). Does not belong here:
which objects a world holds. Nested constants are shared between objects to save memory: replace, never change them.
Sources: Stripe OpenAPI, NOWPayments API v1 and OKX API v5 documentation.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Json = dict[str, Any]

_AUTOMATIC_METHODS: Json = {"allow_redirects": "always", "enabled": True}
_AMOUNT_DETAILS: Json = {"tip": {}}
_METHOD_OPTIONS: Json = {
    "card": {
        "installments": None,
        "mandate_options": None,
        "network": None,
        "request_three_d_secure": "automatic",
    }
}
_OUTCOME: Json = {
    "network_status": "approved_by_network",
    "reason": None,
    "risk_level": "normal",
    "risk_score": 12,
    "seller_message": "Payment complete.",
    "type": "authorized",
}
_DECLINED: Json = {
    "network_status": "declined_by_network",
    "reason": "generic_decline",
    "risk_level": "normal",
    "risk_score": 40,
    "seller_message": "The bank did not return any further details with this decline.",
    "type": "issuer_declined",
}
_CHECKS: Json = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}
_NO_ADDRESS: Json = {
    "city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None,
}  # fmt: skip
_BILLING: Json = {"address": _NO_ADDRESS, "email": None, "name": None, "phone": None, "tax_id": None}
_CARD_ONLY = ["card"]
_NP_FEE: Json = {"currency": "usdttrc20", "depositFee": 0, "serviceFee": 0, "withdrawalFee": 0}


def stripe_intent(
    intent_id: str,
    *,
    amount: int,
    currency: str,
    created: datetime,
    status: str,
    customer: str | None,
    metadata: dict[str, str],
    description: str,
    capture_method: str = "automatic_async",
) -> Json:
    """A PaymentIntent without a charge. `amount` in Stripe's minor units; the caller sets what a charge changes."""
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": _AMOUNT_DETAILS,
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": _AUTOMATIC_METHODS,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": capture_method,
        "client_secret": intent_id + "_secret_sandbox",
        "confirmation_method": "automatic",
        "created": int(created.timestamp()),
        "currency": currency.lower(),
        "customer": customer,
        "description": description,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata,
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": _METHOD_OPTIONS,
        "payment_method_types": _CARD_ONLY,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }


def stripe_charge(
    charge_id: str,
    intent: Json,
    *,
    created: datetime,
    last4: str,
    captured: int | None,
    capture_before: datetime | None = None,
    declined: bool = False,
) -> Json:
    """The charge of `intent`. `captured`: minor units, None while only authorized (reads `succeeded` too)."""
    card = _card(last4, intent["amount"], capture_before)
    return {
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": captured or 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None if captured is None else "txn_" + charge_id[3:],
        "billing_details": _BILLING,
        "calculated_statement_descriptor": "EXAMPLE.COM",
        "captured": captured is not None,
        "created": int(created.timestamp()),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "destination": None,
        "dispute": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": "card_declined" if declined else None,
        "failure_message": "Your card was declined." if declined else None,
        "fraud_details": {},
        "livemode": intent["livemode"],
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": _DECLINED if declined else _OUTCOME,
        "paid": not declined,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": {"card": card, "type": "card"},
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "failed" if declined else "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }


def _card(last4: str, amount: int, capture_before: datetime | None) -> Json:
    card: Json = {
        "amount_authorized": amount,
        "authorization_code": None,
        "brand": "visa",
        "checks": _CHECKS,
        "country": "US",
        "exp_month": 12,
        "exp_year": 2030,
        "fingerprint": "sandbox" + last4,
        "funding": "credit",
        "installments": None,
        "last4": last4,
        "mandate": None,
        "network": "visa",
        "network_transaction_id": "1008" + last4,
        "three_d_secure": None,
        "wallet": None,
    }
    if capture_before is not None:  # Stripe sends the field only while the charge waits for its capture
        card["capture_before"] = int(capture_before.timestamp())
    return card


def stripe_refund(
    refund_id: str, charge: Json, *, amount: int, created: datetime, status: str, failure_reason: str | None
) -> Json:
    """A refund of `charge`; `amount` in minor units."""
    refund: Json = {
        "id": refund_id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": "txn_" + refund_id[3:],
        "charge": charge["id"],
        "created": int(created.timestamp()),
        "currency": charge["currency"],
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "requested_by_customer",
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }
    if failure_reason is not None:
        refund["failure_reason"] = failure_reason
        refund["failure_balance_transaction"] = "txn_f" + refund_id[3:]
    return refund


def nowpayments_payment(
    payment_id: str,
    *,
    status: str,
    price: Decimal,
    price_currency: str,
    pay_amount: Decimal,
    actually_paid: Decimal,
    order_id: str | None,
    address: str,
    tx_hash: str | None,
    created: datetime,
    updated: datetime,
    parent_id: str | None = None,
) -> Json:
    """A payment in USDT on TRON. Amounts become JSON numbers; they have few enough digits to survive as such."""
    return {
        "payment_id": int(payment_id),
        "parent_payment_id": None if parent_id is None else int(parent_id),
        "origin_type": None if parent_id is None else "REPEATED",
        "invoice_id": None,
        "payment_status": status,
        "pay_address": address,
        "payin_extra_id": None,
        "price_amount": float(price),
        "price_currency": price_currency.lower(),
        "pay_amount": float(pay_amount),
        "actually_paid": float(actually_paid),
        "actually_paid_at_fiat": 0,
        "pay_currency": "usdttrc20",
        "order_id": order_id,
        "order_description": None if order_id is None else f"Order {order_id}",
        "purchase_id": payment_id[::-1],
        "outcome_amount": float(actually_paid),
        "outcome_currency": "usdttrc20",
        "network": "trx",
        "smart_contract": None,
        "burning_percent": "null",
        "payin_hash": tx_hash,
        "payout_hash": None,
        "fee": _NP_FEE,
        "type": "crypto2crypto",
        "created_at": _iso(created),
        "updated_at": _iso(updated),
        "expiration_estimate_date": _iso(created + timedelta(days=7)),
    }


def okx_deposit(
    deposit_id: str, *, state: str, amount: Decimal, address: str, tx_hash: str, at: datetime, internal: bool = False
) -> Json:
    """A USDT deposit. `internal`: a transfer between accounts of the exchange, which has a sender and no chain."""
    return {
        "actualDepBlkConfirm": "0" if state == "0" else "21",
        "amt": str(amount),
        "areaCodeFrom": "",
        "ccy": "USDT",
        "chain": "" if internal else "USDT-TRC20",
        "depId": deposit_id,
        "from": "treasury@example.com" if internal else "",
        "fromWdId": deposit_id[::-1] if internal else "",
        "state": state,
        "to": address,
        "ts": str(int(at.timestamp()) * 1000),
        "txId": tx_hash,
    }


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
