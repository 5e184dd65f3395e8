"""Pages and single objects of every Stripe endpoint that is read the same way.

Belongs here: cursors, ranges, filters, expansion. Does not belong here: which endpoints there are
(stripe_collections.py), authentication and routes (stripe_api.py).
"""

from __future__ import annotations

import itertools
import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping

from payments_pipeline.sandbox.listing import Key, Listing, epoch_seconds
from payments_pipeline.sandbox.state import Json, Store, StripeState
from payments_pipeline.sandbox.stripe_collections import COLLECTIONS, REVERSALS, Collection, Test
from payments_pipeline.sandbox.stripe_errors import not_found, refuse
from payments_pipeline.sandbox.stripe_parameters import Parameters
from payments_pipeline.sandbox.wire import Call, Reply, json_reply

# Stores in which the id is looked for; where none holds it, the id is left as it is.
EXPANDABLE: Mapping[str, tuple[str, ...]] = {
    "latest_charge": ("charges",),
    "charge": ("charges",),
    "source_transaction": ("charges",),
    "payment_intent": ("payment_intents",),
    "customer": ("customers",),
    "subscription": ("subscriptions",),
    "transfer": ("transfers",),
    "balance_transaction": ("balance_transactions",),
    "failure_balance_transaction": ("balance_transactions",),
    "source": ("charges", "refunds", "payouts", "transfers", "transfer_reversals", "disputes"),
    "payment_method": (),
    "default_payment_method": (),
    "destination": (),
    "destination_payment": (),
    "invoice": (),
    "latest_invoice": (),
}
MAX_DEPTH = 4
PAGING = frozenset({"limit", "starting_after", "ending_before"})
COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip


class StripeLists:
    """Answers reads; keeps an index a store. Call it under the state's lock."""

    def __init__(self) -> None:
        self._listings = {collection.store: Listing(epoch_seconds) for collection in (*COLLECTIONS.values(), REVERSALS)}

    def page(
        self,
        state: StripeState,
        collection: Collection,
        call: Call,
        *,
        now: int,
        fixed: Mapping[str, str] | None = None,
    ) -> Reply:
        """One page of a list; `now` in Unix seconds, `fixed` are filters that stand in the path."""
        fixed = fixed or {}
        known = PAGING | collection.more | (collection.filters - fixed.keys())
        params = Parameters(call.query, known, collection.ranges, collection.arrays)
        limit = params.limit()
        tests = _tests(collection, params, fixed)
        objects = collection.objects(state)
        keys = self._keys(state, collection, params)
        created = params.ranges.get("created", {})
        if collection.max_age is not None:
            created = {**created, "gt": max(created.get("gt", 0), now - collection.max_age)}
        low, high = _span(keys, created)
        after = self._cursor(collection, objects, params, "starting_after", now)
        before = self._cursor(collection, objects, params, "ending_before", now)
        if after and before:
            raise refuse(
                400,
                "You may only specify one of these parameters: ending_before, starting_after.",
                param="starting_after",
            )
        if after:
            high = min(high, bisect_left(keys, after))
        if before:
            low = max(low, bisect_right(keys, before))
        # Newest first; with ending_before the page is the one next to the cursor, still newest first.
        places = range(low, high) if before else range(high - 1, low - 1, -1)
        page, has_more = _take((objects[keys[place][1]] for place in places), tests, limit)
        if before:
            page.reverse()
        for path in params.expand:
            page = [_expand(state, obj, _inside_data(path)) for obj in page]
        return json_reply(200, {"object": "list", "data": page, "has_more": has_more, "url": call.path.rstrip("/")})

    def _keys(self, state: StripeState, collection: Collection, params: Parameters) -> list[Key]:
        objects = collection.objects(state)
        names = collection.among(state, params)
        listing = self._listings[collection.store]
        if names is None:
            return listing.keys(objects)
        return sorted(listing.key_of(objects, name) for name in names if name in objects)

    def _cursor(self, collection: Collection, objects: Store, params: Parameters, param: str, now: int) -> Key | None:
        """Place of the object that a cursor names; refused when that object can't be listed (any more)."""
        name = params.plain.get(param)
        if name is None:
            return None
        if _gone(collection, objects.get(name), now) or objects[name].get("deleted"):
            raise not_found(collection.noun, name, param=param, status=400)
        return self._listings[collection.store].key_of(objects, name)


def retrieve(
    state: StripeState, collection: Collection, object_id: str, call: Call, *, now: int, parent: str | None = None
) -> Reply:
    """A single object; `parent` is the transfer in the path of a reversal."""
    params = Parameters(call.query, frozenset({"client_secret"}))
    obj = collection.objects(state).get(object_id)
    if obj is None or _gone(collection, obj, now) or (parent is not None and obj.get("transfer") != parent):
        raise not_found(collection.noun, object_id, param=collection.id_param)
    return json_reply(200, expanded(state, shown(obj), params.expand))


def expanded(state: StripeState, obj: Json, paths: Iterable[str]) -> Json:
    """A single object with what `expand` names in place of ids; a deleted one has nothing to expand."""
    if obj.get("deleted"):
        return obj
    for path in paths:
        obj = _expand(state, obj, path)
    return obj


def shown(obj: Json) -> Json:
    """As the API tells it: of a deleted object only that it is deleted."""
    return {"id": obj["id"], "object": obj["object"], "deleted": True} if obj.get("deleted") else obj


def _gone(collection: Collection, obj: Json | None, now: int) -> bool:
    if obj is None:
        return True
    return collection.max_age is not None and epoch_seconds(obj) <= now - collection.max_age


def _tests(collection: Collection, params: Parameters, fixed: Mapping[str, str]) -> list[Test]:
    wanted = {name: params.plain[name] for name in collection.filters if name in params.plain} | dict(fixed)
    tests: list[Test] = [_equals(name, value) for name, value in wanted.items()]
    tests += [_within(name, bounds) for name, bounds in params.ranges.items() if name != "created"]
    return tests + collection.tests(params)


def _equals(name: str, value: str) -> Test:
    return lambda obj: obj.get(name) == value


def _within(name: str, bounds: Mapping[str, int]) -> Test:
    def test(obj: Json) -> bool:
        value = obj.get(name)
        return isinstance(value, int) and all(COMPARISONS[sign](value, bound) for sign, bound in bounds.items())

    return test


def _span(keys: list[Key], created: Mapping[str, int]) -> tuple[int, int]:
    low, high = 0, len(keys)
    for sign, moment in created.items():
        place = bisect_left(keys, (moment + (sign in {"gt", "lte"}),))
        if sign in {"gt", "gte"}:
            low = max(low, place)
        else:
            high = min(high, place)
    return low, high


def _take(objects: Iterable[Json], tests: list[Test], limit: int) -> tuple[list[Json], bool]:
    for test in tests:
        objects = filter(test, objects)
    page = list(itertools.islice(objects, limit + 1))
    return page[:limit], len(page) > limit


def _inside_data(path: str) -> str:
    head, _, rest = path.partition(".")
    if head != "data" or not rest:
        raise refuse(
            400,
            f"This property cannot be expanded ({path}). You may want to try expanding 'data.{path}' instead.",
            param="expand",
        )
    return rest


def _expand(state: StripeState, obj: Json, path: str) -> Json:
    head, _, rest = path.partition(".")
    if path.count(".") >= MAX_DEPTH:
        raise refuse(400, f"You cannot expand more than {MAX_DEPTH} levels of a property.", param="expand")
    if head not in EXPANDABLE or head not in obj:
        raise refuse(400, f"This property cannot be expanded ({head}).", param="expand")
    value = obj[head]
    if isinstance(value, str):
        stores: list[Store] = [getattr(state, name) for name in EXPANDABLE[head]]
        value = next((shown(store[value]) for store in stores if value in store), value)
    if rest and isinstance(value, dict) and not value.get("deleted"):
        value = _expand(state, value, rest)
    return {**obj, head: value}
