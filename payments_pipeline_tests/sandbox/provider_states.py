"""Small hand-made provider objects for the API tests. Worlds with users and truth are world.py's, not these."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from payments_pipeline.sandbox.state import SandboxState

START = datetime(2026, 10, 1, tzinfo=UTC)
START_SECONDS = int(START.timestamp())


def with_intents(count: int, *, per_second: int = 1) -> SandboxState:
    """`count` captured card payments, `per_second` sharing each second, oldest first."""
    state = SandboxState()
    for number in range(count):
        intent, charge = card_payment(number, created=START_SECONDS + number // per_second)
        state.stripe.payment_intents[intent["id"]] = intent
        state.stripe.charges[charge["id"]] = charge
    return state


def card_payment(number: int, *, created: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A succeeded PaymentIntent of 20.00 USD and its charge."""
    intent_id, charge_id = f"pi_{number:06d}", f"ch_{number:06d}"
    intent = {
        "id": intent_id, "object": "payment_intent", "amount": 2000, "amount_capturable": 0, "amount_received": 2000,
        "currency": "usd", "created": created, "status": "succeeded", "customer": f"cus_{number % 7}",
        "latest_charge": charge_id, "livemode": False, "metadata": {}, "canceled_at": None,
        "cancellation_reason": None, "capture_method": "automatic",
    }  # fmt: skip
    charge = {
        "id": charge_id, "object": "charge", "amount": 2000, "amount_captured": 2000, "amount_refunded": 0,
        "captured": True, "created": created, "currency": "usd", "payment_intent": intent_id, "refunded": False,
        "status": "succeeded", "payment_method_details": {"type": "card", "card": {"network": "visa"}},
    }  # fmt: skip
    return intent, charge


def with_hold(*, capture_before: datetime) -> SandboxState:
    """One hold `pi_000000` of 20.00 USD at START, on a sandbox whose clock stands at START + 1 day."""
    state = with_intents(1)
    state.clock = lambda: START + timedelta(days=1)
    state.stripe.payment_intents["pi_000000"].update(
        status="requires_capture", amount_capturable=2000, amount_received=0, capture_method="manual"
    )
    charge = state.stripe.charges["ch_000000"]
    charge.update(captured=False, amount_captured=0)
    charge["payment_method_details"]["card"]["capture_before"] = int(capture_before.timestamp())
    return state


def with_crypto_payments(count: int) -> SandboxState:
    """`count` finished NOWPayments payments, one a minute from START."""
    state = SandboxState()
    for number in range(count):
        payment_id = str(5_000_000_000 + number)
        created = (START + timedelta(minutes=number)).isoformat().replace("+00:00", "Z")
        state.nowpayments.payments[payment_id] = {
            "payment_id": payment_id, "payment_status": "finished", "price_amount": 20, "price_currency": "usd",
            "pay_amount": 20.03, "actually_paid": 20.03, "pay_currency": "usdttrc20", "order_id": str(number),
            "purchase_id": "4944856743", "created_at": created, "updated_at": created, "burning_percent": None,
            "parent_payment_id": None,
        }  # fmt: skip
    return state


def with_deposits(count: int, *, same_ms: int = 1) -> SandboxState:
    """`count` final USDT deposits, `same_ms` sharing each millisecond."""
    state = SandboxState()
    for number in range(count):
        state.okx.deposits[str(7000 + number)] = {
            "depId": str(7000 + number), "ccy": "USDT", "chain": "USDT-TRC20", "amt": f"{number + 1}.5",
            "state": "2", "ts": str(START_SECONDS * 1000 + number // same_ms), "txId": f"0x{number:08x}",
            "to": "TExampleAddress", "from": "", "tag": "", "actualDepBlkConfirm": "20", "fromWdId": "",
        }  # fmt: skip
    return state
