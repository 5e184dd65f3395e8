"""A sandbox account with some of everything, made by operations as they happen at Stripe, and our client for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from payments_pipeline.config import load_settings
from payments_pipeline.providers.base import Page, Resource, Window
from payments_pipeline.providers.stripe import StripeProvider
from payments_pipeline.sandbox.stripe_life import StripeLife

START = datetime(2026, 10, 1, tzinfo=UTC)
AS_OF = datetime(2026, 10, 20, 12, 0, tzinfo=UTC)
WINDOW = Window(START, AS_OF)
Json = dict[str, Any]


def after(**delta: float) -> datetime:
    return START + timedelta(**delta)


def provider(base: str, **values: Any) -> StripeProvider:
    values = {"stripe_api_key": "sk_test_sandbox", "http_timeout_seconds": 2.0, "http_max_attempts": 2} | values
    settings = load_settings(_env_file=None, stripe_api_base=base, **values)
    return StripeProvider(settings, lambda: AS_OF, sleep=lambda _seconds: None)


def objects(pages: Any) -> list[Json]:
    return [obj for page in pages for obj in page.objects]


def one(page: Page | None) -> Json:
    """The object of a page that must hold one."""
    assert page is not None
    (obj,) = page.objects
    return dict(obj)


def as_row(resource: Resource, obj: Mapping[str, Any]) -> dict[str, Any]:
    return dict(zip(resource.spec.columns, resource.row(obj), strict=True))


@dataclass
class History:
    """What a test asks for by name; `step` after `step`, an hour apart."""

    life: StripeLife
    named: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._hours = iter(range(1, 1000))
        for tell in (self._payments, self._balance, self._customers):
            tell()

    def __getitem__(self, name: str) -> str:
        return self.named[name]

    def at(self) -> datetime:
        return after(hours=next(self._hours))

    def paid(self, **options: Any) -> Json:
        return self.life.succeed(self.life.create_intent(at=self.at(), **options)["id"], at=self.at())

    def _payments(self) -> None:
        life = self.life
        paid = self.paid(customer="cus_payer", metadata={"user_id": "7", "payment_id": "70", "app": "shop"})
        held = life.authorize(life.create_intent(at=self.at(), manual=True)["id"], at=self.at())
        let_go = life.authorize(life.create_intent(at=self.at(), manual=True)["id"], at=self.at())
        life.cancel(let_go["id"], at=self.at())
        declined = life.decline(life.create_intent(at=self.at())["id"], at=self.at())
        yen = self.paid(amount=1999, currency="jpy")
        dinar = self.paid(amount=1999, currency="kwd")
        refund = life.refund(paid["latest_charge"], at=self.at(), amount=500)
        dispute = life.open_dispute(dinar["latest_charge"], at=self.at())
        self.named |= {
            "intent": paid["id"], "charge": paid["latest_charge"], "held": held["latest_charge"],
            "let go": let_go["latest_charge"], "declined": declined["latest_charge"], "yen": yen["latest_charge"],
            "dinar": dinar["latest_charge"], "refund": refund["id"], "dispute": dispute["id"],
        }  # fmt: skip

    def _balance(self) -> None:
        life = self.life
        income = life.state.stripe.charges[self["charge"]]["balance_transaction"]
        payout = life.create_payout(at=self.at(), transactions=[income])
        forint = life.create_payout(at=self.at(), amount=1000, currency="huf", automatic=False)
        life.pay_payout(payout["id"], at=self.at())
        life.fail_payout(payout["id"], at=self.at())
        transfer = life.create_transfer(at=self.at(), amount=1200, source_transaction=self["charge"])
        reversals = [life.reverse_transfer(transfer["id"], at=self.at(), amount=50)["id"] for _ in range(12)]
        other = life.create_transfer(at=self.at(), amount=700, currency="jpy")
        back = life.reverse_transfer(other["id"], at=self.at())
        life.create_transfer(at=self.at())
        self.named |= {
            "payout": payout["id"], "forint": forint["id"], "transfer": transfer["id"], "yen transfer": other["id"],
            "income": income, "reversal": f"{transfer['id']}/{reversals[0]}",
            "yen reversal": f"{other['id']}/{back['id']}",
        }  # fmt: skip

    def _customers(self) -> None:
        life = self.life
        kept = life.create_customer(
            at=self.at(), email="Ann.Example@Example.com", name="Ann Example", metadata={"user_id": "7", "pet": "Rex"}
        )
        gone = life.create_customer(at=self.at(), email="gone@example.com")
        live = life.create_subscription(kept["id"], at=self.at(), amount=900, metadata={"user_id": "7"})
        ended = life.create_subscription(gone["id"], at=self.at(), amount=900, currency="kwd")
        life.delete_customer(gone["id"], at=self.at())
        checkout = life.open_checkout(at=self.at(), reference="order-7", metadata={"payment_id": "70"})
        life.complete_checkout(
            checkout["id"], at=self.at(), payment_intent=self["intent"], customer=kept["id"], email="ann@example.com"
        )
        idle = life.open_checkout(at=self.at(), amount=5000, currency="jpy")
        self.named |= {
            "customer": kept["id"], "gone": gone["id"], "subscription": live["id"], "ended": ended["id"],
            "checkout": checkout["id"], "idle": idle["id"],
        }  # fmt: skip
