"""Every list endpoint of the simulated Stripe: where its objects are, how they are named, and what filters them.

Belongs here: one declaration an endpoint, and filters that are more than equality. Does not belong here: cursors and
pages (stripe_lists.py), or what the events feed means by a type (stripe_events.py).
Source: https://docs.stripe.com/api, the list parameters of each resource.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from payments_pipeline.sandbox.state import Json, Store, StripeState
from payments_pipeline.sandbox.stripe_errors import refuse
from payments_pipeline.sandbox.stripe_events import FEED_SECONDS, event_tests
from payments_pipeline.sandbox.stripe_parameters import Parameters

Test = Callable[[Json], bool]

CREATED = frozenset({"created"})
PAYOUT_STATUSES = frozenset({"pending", "paid", "failed", "canceled"})
SESSION_STATUSES = frozenset({"complete", "expired", "open"})
SUBSCRIPTION_STATUSES = frozenset(
    {"active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"}
)
ENDED = frozenset({"canceled", "incomplete_expired"})


def _no_tests(params: Parameters) -> list[Test]:
    del params
    return []


def _whole_store(state: StripeState, params: Parameters) -> tuple[str, ...] | None:
    del state, params
    return None


@dataclass(frozen=True, slots=True)
class Collection:
    """One list endpoint.

    Attributes:
        store: name of the attribute of StripeState.
        noun: what an error message calls one object.
        id_param: what an error calls the parameter of a single object's URL.
        filters: parameters compared with the object's field of the same name.
        more: further plain parameters, which `tests` or `among` understand.
        tests: conditions beyond equality; may refuse values.
        among: ids to which a parameter narrows the list, None for the whole store.
        max_age: seconds after which an object cannot be read any more.
    """

    store: str
    noun: str
    id_param: str
    filters: frozenset[str] = frozenset()
    more: frozenset[str] = frozenset()
    ranges: frozenset[str] = CREATED
    arrays: frozenset[str] = frozenset()
    tests: Callable[[Parameters], list[Test]] = _no_tests
    among: Callable[[StripeState, Parameters], tuple[str, ...] | None] = _whole_store
    max_age: int | None = None

    def objects(self, state: StripeState) -> Store:
        """The store that the endpoint reads."""
        objects: Store = getattr(state, self.store)
        return objects


def _payout_tests(params: Parameters) -> list[Test]:
    params.choice("status", PAYOUT_STATUSES)
    return []


def _session_tests(params: Parameters) -> list[Test]:
    params.choice("status", SESSION_STATUSES)
    email = params.plain.get("customer_details[email]")
    return [] if email is None else [lambda session: (session.get("customer_details") or {}).get("email") == email]


def _subscription_tests(params: Parameters) -> list[Test]:
    """Without a status canceled ones are left out; `ended` also means those that never got paid."""
    status = params.choice("status", SUBSCRIPTION_STATUSES | {"all", "ended"})
    tests: list[Test] = []
    if price := params.plain.get("price"):
        tests.append(lambda subscription: price in _prices(subscription))
    match status:
        case "all":
            return tests
        case None:
            return [*tests, lambda subscription: subscription.get("status") != "canceled"]
        case "ended":
            return [*tests, lambda subscription: subscription.get("status") in ENDED]
    return [*tests, lambda subscription: subscription.get("status") == status]


def _prices(subscription: Json) -> list[str]:
    return [item["price"]["id"] for item in (subscription.get("items") or {}).get("data", ())]


def _present(params: Parameters) -> list[Test]:
    del params
    return [lambda customer: not customer.get("deleted")]


def _paid_out(state: StripeState, params: Parameters) -> tuple[str, ...] | None:
    payout_id = params.plain.get("payout")
    if payout_id is None:
        return None
    payout = state.payouts.get(payout_id)
    if payout is None:
        raise refuse(400, f"No such payout: '{payout_id}'", code="resource_missing", param="payout")
    if not payout.get("automatic"):
        raise refuse(
            400, "Balance transaction history can only be filtered on automatic transfers, not manual.", param="payout"
        )
    return state.payout_transactions.get(payout_id, ())


COLLECTIONS = {
    "payment_intents": Collection("payment_intents", "payment_intent", "intent", frozenset({"customer"})),
    "charges": Collection("charges", "charge", "id", frozenset({"customer", "payment_intent", "transfer_group"})),
    "refunds": Collection("refunds", "refund", "id", frozenset({"payment_intent", "charge"})),
    "disputes": Collection("disputes", "dispute", "dispute", frozenset({"payment_intent", "charge"})),
    "payouts": Collection(
        "payouts", "payout", "payout", frozenset({"status", "destination"}),
        ranges=frozenset({"created", "arrival_date"}), tests=_payout_tests,
    ),
    "transfers": Collection("transfers", "transfer", "transfer", frozenset({"destination", "transfer_group"})),
    "balance_transactions": Collection(
        "balance_transactions", "balance transaction", "id", frozenset({"type", "source", "currency"}),
        more=frozenset({"payout"}), among=_paid_out,
    ),
    "checkout/sessions": Collection(
        "checkout_sessions", "checkout.session", "session",
        frozenset({"status", "payment_intent", "customer", "subscription", "payment_link"}),
        more=frozenset({"customer_details[email]"}), tests=_session_tests,
    ),
    "subscriptions": Collection(
        "subscriptions", "subscription", "id", frozenset({"customer", "collection_method"}),
        more=frozenset({"status", "price"}), tests=_subscription_tests,
    ),
    "customers": Collection("customers", "customer", "id", frozenset({"email"}), tests=_present),
    "events": Collection(
        "events", "event", "id", more=frozenset({"type", "delivery_success"}), arrays=frozenset({"types"}),
        tests=event_tests, max_age=FEED_SECONDS,
    ),
}  # fmt: skip

# /v1/transfers/:id/reversals; the id in the path narrows it, as a parameter of that name would.
REVERSALS = Collection("transfer_reversals", "transfer reversal", "id", frozenset({"transfer"}), ranges=frozenset())
