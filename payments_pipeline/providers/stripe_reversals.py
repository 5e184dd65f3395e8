"""Transfer reversals, which Stripe lists only by transfer.

Belongs here: getting them out of transfers. Does not belong here: paging and single objects (stripe_lists.py), an
object's meaning (stripe_objects_balance.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from payments_pipeline.errors import PermanentError
from payments_pipeline.providers.base import Page, Window
from payments_pipeline.providers.stripe_lists import StripeList, StripeResource, single
from payments_pipeline.providers.stripe_objects_balance import TRANSFER_CREATED


class TransferReversals(StripeResource):
    """Reversals, which Stripe lists only by transfer: windows select by when the transfer was made."""

    def pages(self, window: Window) -> Iterator[Page]:
        """Every reversal of the transfers made in the window, a page for each page of transfers and some more.

        A transfer carries its newest ten reversals; only one with more costs calls of its own.
        """
        for page in self._list.created_in(window, self._kind.params):
            inside: list[Any] = []
            for transfer in page.objects:
                shown = _shown_reversals(transfer)
                if shown is None:
                    yield from self._listed_reversals(transfer)
                else:
                    inside += [_with_transfer(reversal, transfer) for reversal in shown]
            yield Page(inside, page.read_at)

    def read(self, object_id: str) -> Page | None:
        """One reversal by ``tr_…/trr_…``; None when Stripe does not have it. Raises PermanentError: another id."""
        transfer_id, slash, reversal_id = object_id.partition("/")
        if not slash:
            raise PermanentError(
                f"{object_id} does not name a reversal.",
                where=f"stripe {self.spec.name}",
                remedy="Give it as transfer/reversal: Stripe reads a reversal only through its transfer.",
            )
        path = f"{self._kind.path}/{quote(transfer_id, safe='')}"
        read_at = self._clock()
        reversal = single(self._calls, f"{path}/reversals", reversal_id, expand=["transfer"])
        if reversal is None:
            return None
        transfer = reversal.get("transfer")
        if not isinstance(transfer, dict):  # a server that ignores `expand`
            transfer = single(self._calls, self._kind.path, transfer_id)
            if transfer is None:
                return None
        self._list.check_mode(transfer)
        return Page([_with_transfer(reversal, transfer)], read_at)

    def _listed_reversals(self, transfer: Mapping[str, Any]) -> Iterator[Page]:
        path = f"{self._kind.path}/{quote(transfer['id'], safe='')}/reversals"
        for page in StripeList(self._calls, self._clock, lambda: None, path).pages({}):
            yield Page([_with_transfer(reversal, transfer) for reversal in page.objects], page.read_at)


def _shown_reversals(transfer: Any) -> list[Any] | None:
    """The reversals inside a transfer if these are all, else None; a transfer that can't be read stands for itself.

    As a reversal it will be rejected by name, so that the certificate does not claim its reversals.
    """
    if not isinstance(transfer, dict) or not isinstance(transfer.get("id"), str):
        return [transfer]
    shown = transfer.get("reversals")
    if isinstance(shown, dict) and isinstance(shown.get("data"), list) and shown.get("has_more") is False:
        data: list[Any] = shown["data"]
        return data
    return [] if shown is None and transfer.get("amount_reversed") == 0 else None


def _with_transfer(reversal: Any, transfer: Any) -> Any:
    """The reversal as every way to read it gives it: its transfer as id, and when that was made."""
    if isinstance(reversal, dict) and isinstance(transfer, dict) and reversal is not transfer:
        reversal["transfer"] = transfer.get("id")
        reversal[TRANSFER_CREATED] = transfer.get("created")
    return reversal
