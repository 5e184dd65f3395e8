"""Stripe's capture, cancel, refund, transfer and payout over HTTP: parameters, refusals, and idempotency keys.

Belongs here: POST requests. Does not belong here: authentication and routes (stripe_api.py), or what a capture changes
(stripe_life_payments.py).
Sources: https://docs.stripe.com/api/payment_intents/capture, …/cancel, https://docs.stripe.com/api/idempotent_requests.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

from payments_pipeline.sandbox.state import Json, SandboxState, StripeState
from payments_pipeline.sandbox.stripe_errors import not_found, refuse
from payments_pipeline.sandbox.stripe_life import StripeLife
from payments_pipeline.sandbox.stripe_life_payments import CANCELLABLE
from payments_pipeline.sandbox.wire import Call, RefusalError, Reply, json_reply

Action = Literal["capture", "cancel", "refund", "transfer", "payout"]

MAX_KEY_LENGTH = 255
KNOWN = {
    "capture": frozenset(
        {"amount_to_capture", "application_fee_amount", "expand", "final_capture", "metadata",
         "statement_descriptor", "statement_descriptor_suffix", "transfer_data"}
    ),
    "cancel": frozenset({"cancellation_reason", "expand"}),
    "refund": frozenset({"amount", "charge", "expand", "metadata", "payment_intent", "reason"}),
    "transfer": frozenset(
        {"amount", "currency", "description", "destination", "expand", "metadata", "source_transaction",
         "source_type", "transfer_group"}
    ),
    "payout": frozenset(
        {"amount", "currency", "description", "destination", "expand", "metadata", "method", "source_type",
         "statement_descriptor"}
    ),
}  # fmt: skip
CANCELLATION_REASONS = frozenset({"abandoned", "duplicate", "fraudulent", "requested_by_customer"})


def perform(sandbox: SandboxState, action: Action, intent_id: str, call: Call, request_id: str) -> Reply:
    """Run an action once for each idempotency key; a replay answers what was stored, even an error.

    Transfers and payouts are of no intent: theirs is empty, and the ledger names where the money went.

    What changes is stamped with the sandbox's clock and told by the events feed.

    Raises:
        RefusalError: parameters are malformed or the key was used for another request; nothing is stored then.
    """
    state = sandbox.stripe
    stored = _replay(state, call)
    if stored is not None:
        return stored
    params = _parameters(action, call)
    now = sandbox.clock()
    try:
        if action in {"transfer", "payout"}:
            changed = _sent_on(sandbox, action, params, now)
            state.moves.append((action, str(changed["destination"]), changed["amount"]))
        else:
            changed, amount = _of_intent(sandbox, action, intent_id, params, now=now)
            state.moves.append((action, intent_id, amount))
        reply = json_reply(200, changed)
    except RefusalError as refusal:
        reply = refusal.reply
    remember(state, call, reply, request_id)
    return reply


def _of_intent(
    sandbox: SandboxState, action: Action, intent_id: str, params: dict[str, str], *, now: datetime
) -> tuple[Json, int]:
    """What was changed, and the money that moved."""
    intent = sandbox.stripe.payment_intents.get(intent_id)
    if intent is None:
        raise not_found("payment_intent", intent_id, param="intent")
    if action == "capture":
        amount = _capturable(sandbox.stripe, intent, params.get("amount_to_capture"), int(now.timestamp()))
        return StripeLife(sandbox).capture(intent_id, at=now, amount=amount), amount
    if action == "cancel":
        _check_cancellable(intent)
        return StripeLife(sandbox).cancel(intent_id, at=now, reason=params.get("cancellation_reason")), 0
    refund = _refunded(sandbox, intent, params, now)
    return refund, refund["amount"]


def _sent_on(sandbox: SandboxState, action: Action, params: dict[str, str], now: datetime) -> Json:
    """A new transfer or payout; its metadata as sent."""
    for name in ("amount", "currency", *(("destination",) if action == "transfer" else ())):
        if not params.get(name):
            raise refuse(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
    if int(params["amount"]) < 1:
        raise refuse(400, "This value must be greater than or equal to 1.", code="parameter_invalid_integer",
                     param="amount")  # fmt: skip
    life, store = StripeLife(sandbox), sandbox.stripe.transfers
    amount, currency = int(params["amount"]), params["currency"]
    if action == "transfer":
        made = life.create_transfer(at=now, amount=amount, currency=currency, destination=params["destination"])
        made = made | {"transfer_group": params.get("transfer_group")}
    else:
        made = life.create_payout(at=now, amount=amount, currency=currency, automatic=False)
        store = sandbox.stripe.payouts
    store[made["id"]] = {**made, "metadata": _metadata(params)}
    return store[made["id"]]


def _metadata(params: dict[str, str]) -> dict[str, str]:
    return {name[9:-1]: value for name, value in params.items() if name.startswith("metadata[")}


def remember(state: StripeState, call: Call, reply: Reply, request_id: str) -> None:
    """Store the answer under the request's idempotency key, if it has one, over an earlier one."""
    key = call.headers.get("idempotency-key")
    if key and call.method == "POST":
        state.idempotency[key] = (_fingerprint(call), reply.status, reply.body, request_id)


def _replay(state: StripeState, call: Call) -> Reply | None:
    key = call.headers.get("idempotency-key")
    if not key:
        return None
    if len(key) > MAX_KEY_LENGTH:
        raise refuse(
            400, f"Idempotency keys can be at most {MAX_KEY_LENGTH} characters long.", kind="idempotency_error"
        )
    if key not in state.idempotency:
        return None
    fingerprint, status, body, request_id = state.idempotency[key]
    if fingerprint != _fingerprint(call):
        raise refuse(
            400,
            "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            f"Try using a key other than '{key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )
    return Reply(status, body, {"Idempotent-Replayed": "true", "Idempotency-Key": key, "Original-Request": request_id})


def _fingerprint(call: Call) -> str:
    text = f"{call.path.rstrip('/')}\n{sorted(call.form())}"
    return hashlib.sha256(text.encode()).hexdigest()


def _parameters(action: Action, call: Call) -> dict[str, str]:
    params = dict(call.form())
    for name in params:
        if name.partition("[")[0] not in KNOWN[action]:
            raise refuse(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    for name in ("amount_to_capture", "amount"):
        if not params.get(name, "1").lstrip("-").isdigit():
            raise refuse(400, f"Invalid integer: {params[name]}", code="parameter_invalid_integer", param=name)
    reason = params.get("cancellation_reason")
    if reason is not None and reason not in CANCELLATION_REASONS:
        raise refuse(
            400,
            "Invalid cancellation_reason: must be one of duplicate, fraudulent, requested_by_customer, or abandoned",
            param="cancellation_reason",
        )
    return params


def _capturable(state: StripeState, intent: Json, asked: str | None, now: int) -> int:
    """The amount to capture, in minor units; refused unless the hold allows it at `now` (Unix seconds)."""
    status = intent["status"]
    if status != "requires_capture":
        already = " because it has already been captured" if status == "succeeded" else ""
        raise refuse(
            400,
            f"This PaymentIntent could not be captured{already or f' because it has a status of {status}'}. Only a "
            "PaymentIntent with one of the following statuses may be captured: requires_capture.",
            code="payment_intent_unexpected_state", payment_intent=intent,
        )  # fmt: skip
    charge = state.charges.get(str(intent.get("latest_charge")))
    deadline = _capture_before(charge)
    if deadline is not None and deadline <= now:
        raise refuse(
            400, "The charge cannot be captured as the authorization has expired.",
            code="capture_charge_authorization_expired", charge=charge and charge["id"], payment_intent=intent,
        )  # fmt: skip
    capturable = int(intent.get("amount_capturable") or intent["amount"])
    amount = capturable if asked is None else int(asked)
    if amount > capturable:
        raise refuse(
            400, "The requested capture amount is greater than the authorized amount.",
            code="amount_too_large", param="amount_to_capture", payment_intent=intent,
        )  # fmt: skip
    if amount < 1:
        raise refuse(
            400, "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer", param="amount_to_capture",
        )  # fmt: skip
    return amount


def _check_cancellable(intent: Json) -> None:
    status = intent["status"]
    if status not in CANCELLABLE:
        raise refuse(
            400,
            f"You cannot cancel this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one "
            f"of the following statuses may be canceled: {', '.join(CANCELLABLE)}.",
            code="payment_intent_unexpected_state", payment_intent=intent,
        )  # fmt: skip


def _refunded(sandbox: SandboxState, intent: Json, params: dict[str, str], now: datetime) -> Json:
    """The new refund; its metadata as sent."""
    charge = sandbox.stripe.charges.get(str(intent.get("latest_charge")))
    if charge is None or not charge["captured"]:
        raise refuse(400, "This PaymentIntent does not have a successful charge to refund.",
                     code="charge_not_refundable", payment_intent=intent)  # fmt: skip
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left < 1:
        raise refuse(400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = int(params.get("amount", left))
    if not 0 < amount <= left:
        raise refuse(400, f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
                     code="amount_too_large", param="amount")  # fmt: skip
    made = StripeLife(sandbox).refund(charge["id"], at=now, amount=amount)
    sandbox.stripe.refunds[made["id"]] = {**made, "metadata": {**made.get("metadata", {}), **_metadata(params)}}
    return sandbox.stripe.refunds[made["id"]]


def _capture_before(charge: Json | None) -> int | None:
    card = ((charge or {}).get("payment_method_details") or {}).get("card") or {}
    deadline = card.get("capture_before")
    return deadline if isinstance(deadline, int) else None
