"""The list of payout items: payout after payout, the balance transactions of each.

Belongs here: how items are listed and read singly. Does not belong here: an item's meaning (stripe_payout_items.py),
paging and its guards (stripe_lists.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from payments_pipeline.errors import PermanentError
from payments_pipeline.providers.base import Page, Window
from payments_pipeline.providers.stripe_lists import Json, StripeList, StripeResource, single
from payments_pipeline.providers.stripe_payout_items import is_listed, with_payout

TRANSACTIONS = "/v1/balance_transactions"


class PayoutItems(StripeResource):
    """Items of the automatic payouts made in a window, as far as Stripe has reconciled them; the others come later."""

    def pages(self, window: Window) -> Iterator[Page]:
        """A page for each page of items of each payout. One call more a payout than the list of payouts itself.

        Raises as `StripeList.pages`.
        """
        for page in self._list.created_in(window, self._kind.params):
            unreadable: list[Any] = []
            for payout in page.objects:
                if not isinstance(payout, dict) or not isinstance(payout.get("id"), str):
                    unreadable.append(payout)  # rejected by name, so that the certificate does not claim its items
                elif is_listed(payout):
                    yield from self._items(payout)
            yield Page(unreadable, page.read_at)

    def read(self, object_id: str) -> Page | None:
        """One item by ``po_…/txn_…``; None when its payout does not have it. Raises PermanentError: another id."""
        payout_id, slash, transaction_id = object_id.partition("/")
        if not slash:
            raise PermanentError(
                f"{object_id} does not name an item of a payout.",
                where=f"stripe {self.spec.name}",
                remedy="Give it as payout/balance transaction: Stripe lists the items of a payout only by payout.",
            )
        payout = single(self._calls, self._kind.path, payout_id)
        if payout is None:
            return None
        self._list.check_mode(payout)
        if not is_listed(payout):
            return None
        for page in self._items(payout):
            found = [obj for obj in page.objects if isinstance(obj, dict) and obj.get("id") == transaction_id]
            if found:
                return Page(found, page.read_at)
        return None

    def _items(self, payout: Json) -> Iterator[Page]:
        items = StripeList(self._calls, self._clock, lambda: None, TRANSACTIONS)
        for page in items.pages({"payout": payout["id"]}):
            yield Page([self._kept(with_payout(obj, payout)) for obj in page.objects], page.read_at)
