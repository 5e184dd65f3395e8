"""Payments as they happen on both sides: a row in the application and the object at Stripe, NOWPayments or OKX.

Belongs here: writing the two sides of one payment, each with the status it is told, so that a fault is a pair of words.
Does not belong here: access to the service, which `Town.activate` gives.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from payments_pipeline.sandbox.objects import (
    Json,
    nowpayments_payment,
    okx_deposit,
    stripe_charge,
    stripe_intent,
    stripe_refund,
)
from payments_pipeline.sandbox.plans import Row, stripe_minor
from payments_pipeline.sandbox.town import SETTLED_AFTER, Town

Pay = Callable[..., Row]

HOLD = timedelta(days=7)
_USDT = Decimal("0.000001")
_PAID = {"succeeded", "requires_capture"}
_GATEWAY_OPEN = {"waiting", "confirming"}


def card_intent(
    town: Town,
    *,
    amount: Decimal,
    currency: str,
    at: datetime,
    status: str = "succeeded",
    customer: str | None = None,
    metadata: dict[str, str] | None = None,
    captured: Decimal | None = None,
    hold: timedelta | None = None,
    lapsed: bool = False,
    description: str = "Subscription",
) -> Json:
    """A PaymentIntent with its charge, at Stripe only.

    Args:
        captured: the part that was captured, when not all.
        hold: manual capture; the capture deadline is so long after `at`. Zero: a hold whose deadline is not told.
        lapsed: a hold that Stripe cancelled because nobody captured it in time.
    """
    manual = hold is not None or captured is not None or lapsed
    intent = stripe_intent(
        town.ids.stripe("pi_3"),
        amount=stripe_minor(amount, currency),
        currency=currency,
        created=at,
        status=status,
        customer=customer,
        metadata=metadata or {},
        description=description,
        capture_method="manual" if manual else "automatic_async",
    )
    town.state.stripe.payment_intents[intent["id"]] = intent
    if status in _PAID or lapsed:
        part = None if captured is None else stripe_minor(captured, currency)
        _charge(town, intent, at, part, at + hold if hold else None)
    elif status == "requires_payment_method":
        _decline(town, intent, at)
    if status == "canceled":
        closed = at + HOLD if lapsed else at + timedelta(hours=1)
        intent["canceled_at"] = int(closed.timestamp())
        intent["cancellation_reason"] = "automatic" if lapsed else "abandoned"
    return intent


def _charge(town: Town, intent: Json, at: datetime, captured: int | None, deadline: datetime | None) -> None:
    total = captured or intent["amount"]
    paid = intent["status"] == "succeeded"
    intent["payment_method"] = town.ids.stripe("pm_1")
    charge = stripe_charge(
        town.ids.stripe("ch_3"),
        intent,
        created=at + SETTLED_AFTER["stripe"],
        last4=town.ids.digits(4),
        captured=total if paid else None,
        capture_before=None if paid else deadline,
    )
    if paid:
        intent["amount_received"] = total
    elif intent["status"] == "requires_capture":
        intent["amount_capturable"] = total
    else:  # giving an authorization back reads as a refund of the charge
        charge.update(refunded=True, amount_refunded=total)
    intent["latest_charge"] = charge["id"]
    town.state.stripe.charges[charge["id"]] = charge


def _decline(town: Town, intent: Json, at: datetime) -> None:
    charge = stripe_charge(
        town.ids.stripe("ch_3"), intent, created=at, last4=town.ids.digits(4), captured=None, declined=True
    )
    intent["latest_charge"] = charge["id"]
    intent["last_payment_error"] = {
        "charge": charge["id"],
        "code": "card_declined",
        "decline_code": "generic_decline",
        "message": "Your card was declined.",
        "type": "card_error",
    }
    town.state.stripe.charges[charge["id"]] = charge


def pay_by_card(
    town: Town,
    user: Row,
    at: datetime,
    *,
    plan: Row | None = None,
    booking: Row | None = None,
    app: str = "succeeded",
    intent: str = "succeeded",
    amount: Decimal | None = None,
    currency: str | None = None,
    captured: Decimal | None = None,
    hold: timedelta | None = None,
    lapsed: bool = False,
) -> Row:
    """A card payment for a plan or a booking; returns the application's row.

    Args:
        app: status in the application. intent: status at Stripe.
        amount, currency: what the application wrote down, when not what Stripe charged.
        captured, hold, lapsed: see `card_intent`.
    """
    order = plan or booking
    assert order is not None  # noqa: S101  (a programming error in a fault, not bad input)
    number = len(town.tables["payment_transactions"]) + 1
    made = card_intent(
        town,
        amount=order["price"],
        currency=order["currency"],
        at=at,
        status=intent,
        customer=user["stripe_customer_id"],
        metadata={"user_id": str(user["id"]), "payment_id": str(number)},
        captured=captured,
        hold=hold,
        lapsed=lapsed,
        description=plan["name"] if plan else "Booking",
    )
    return town.payment(
        user,
        "stripe",
        made["id"],
        app,
        plan_id=plan and plan["id"],
        booking_id=booking and booking["id"],
        amount=amount or order["price"],
        currency=currency or order["currency"],
        created_at=at,
    )


def refund(
    town: Town, payment: Row, *, part: Decimal = Decimal(1), status: str = "succeeded", after_hours: float = 6
) -> Json:
    """Gives a card payment back at Stripe, or a part of it. A failed refund leaves the charge as if never refunded."""
    stripe = town.state.stripe
    charge = stripe.charges[stripe.payment_intents[payment["transaction_id"]]["latest_charge"]]
    minor = int(charge["amount_captured"] * part) // 10 * 10 if part < 1 else charge["amount_captured"]
    made = stripe_refund(
        town.ids.stripe("re_3"),
        charge,
        amount=minor,
        created=payment["created_at"] + timedelta(hours=after_hours),
        status=status,
        failure_reason="expired_or_canceled_card" if status == "failed" else None,
    )
    stripe.refunds[made["id"]] = made
    if status != "failed":
        charge["amount_refunded"] += minor
        charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    return made


def pay_by_gateway(
    town: Town,
    user: Row,
    at: datetime,
    *,
    plan: Row,
    app: str = "finished",
    gateway: str = "finished",
    part: Decimal = Decimal(1),
) -> Row:
    """A NOWPayments payment for a plan priced in USD, of which `part` arrived; returns the application's row."""
    number = len(town.tables["payment_transactions"]) + 1
    asked = (plan["price"] * Decimal("1.0015")).quantize(_USDT)
    arrived = Decimal(0) if gateway in {"waiting", "expired"} else (asked * part).quantize(_USDT)
    made = nowpayments_payment(
        town.ids.number(10),
        status=gateway,
        price=plan["price"],
        price_currency=plan["currency"],
        pay_amount=asked,
        actually_paid=arrived,
        order_id=str(number),
        address=town.ids.tron_address(),
        tx_hash=town.ids.transaction_hash() if arrived else None,
        created=at,
        updated=at if gateway in _GATEWAY_OPEN else at + SETTLED_AFTER["nowpayments"],
    )
    ref = str(made["payment_id"])
    town.state.nowpayments.payments[ref] = made
    return town.payment(
        user,
        "nowpayments",
        ref,
        app,
        plan_id=plan["id"],
        amount=plan["price"],
        currency=plan["currency"],
        crypto_currency="USDT",
        crypto_amount=asked,
        deposit_address=made["pay_address"],
        network="TRX",
        tx_hash=made["payin_hash"],
        received_amount=arrived or None,
        created_at=at,
        expires_at=at + timedelta(days=7),
    )


def pay_by_deposit(
    town: Town,
    user: Row,
    at: datetime,
    *,
    plan: Row,
    app: str = "completed",
    deposit: str = "2",
    by_hash: bool = False,
) -> Row:
    """A deposit to the OKX account for a plan priced in USD; returns the application's row.

    Args:
        by_hash: the application knows the deposit by its transaction hash alone, not by the exchange's id.
    """
    made = okx_deposit(
        town.ids.number(9),
        state=deposit,
        amount=plan["price"],
        address=town.ids.tron_address(),
        tx_hash=town.ids.transaction_hash(),
        at=at + SETTLED_AFTER["okx"],
    )
    town.state.okx.deposits[made["depId"]] = made
    return town.payment(
        user,
        "okx",
        None if by_hash else made["depId"],
        app,
        plan_id=plan["id"],
        amount=plan["price"],
        currency=plan["currency"],
        crypto_currency="USDT",
        crypto_amount=plan["price"],
        deposit_address=made["to"],
        network="TRC20",
        tx_hash=made["txId"],
        received_amount=plan["price"],
        created_at=at,
        expires_at=at + timedelta(days=1),
    )
