"""A refresh looks at what changed only, and ends as if it had looked at everything."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from payments_pipeline.errors import SchemaError
from payments_pipeline_tests.ingest.books import (
    AS_OF,
    CHARGE,
    CRYPTO,
    CUSTOMER,
    DEPOSIT,
    DISPUTE,
    INTENT,
    REFUND,
    SESSION,
    TRANSFER,
    Books,
)

STEPS = 25
IDS = range(1, 6)


@pytest.fixture
def books(engine: Engine) -> Iterator[Books]:
    books = Books(engine)
    yield books
    books.empty()


def test_a_row_committed_after_the_refresh_by_a_transaction_that_began_before_it_is_seen(books: Books) -> None:
    """As a long fetch does; its rows are older than the mark by every clock."""
    books.intent(1)
    books.refresh()
    with books.engine.connect() as late, late.begin():
        late.execute(text("UPDATE recon.stripe_payment_intents SET status = 'canceled'"))
        books.intent(2)
        assert books.refresh().rows_written == 1
        assert not books.refresh().everything
    assert books.refreshed()["state"] == "canceled"
    assert books.refresh().rows_written == 0


def test_a_new_rule_looks_at_everything_once(books: Books) -> None:
    books.intent(metadata_app="studio")
    assert books.refresh().everything
    assert not books.refresh().everything
    books.settings = {"applications": ["studio"]}
    assert books.refresh().everything
    assert not books.refresh().everything
    books.run(
        "INSERT INTO recon.state_map (provider, resource, raw_status, state)"
        " VALUES ('stripe', 'refunds', 'odd', 'failed')"
    )
    assert books.refresh().everything
    books.run("DELETE FROM recon.state_map WHERE raw_status = 'odd'")


def test_a_mark_of_another_cluster_or_from_the_future_is_worth_nothing(books: Books) -> None:
    """As after a dump was restored elsewhere, where transactions count from the beginning again."""
    books.intent()
    for change in (
        "UPDATE recon.canonical_mark SET cluster = 'another'",
        "UPDATE recon.canonical_mark SET changed_from = cast('99999999999' AS xid8)",
    ):
        books.refresh()
        assert not books.refresh().everything
        books.run(change)
        assert books.refresh().everything


def test_an_emptied_table_fills_again(books: Books) -> None:
    books.intent()
    books.refresh()
    books.run("TRUNCATE recon.provider_transactions")
    assert books.refresh().rows_written == 1


def test_a_refund_that_names_an_intent_and_a_charge_that_does_not_reaches_the_charge(books: Books) -> None:
    books.add("stripe_charges", **CHARGE)
    books.refresh()
    books.add("stripe_refunds", **REFUND, charge_id="ch_1")
    assert books.refreshed("ch_1")["amount_refunded"] == 5


def test_what_the_application_forgets_is_no_link_any_more(books: Books) -> None:
    books.user(1)
    books.payment(11, 1, transaction_id="pi_1")
    books.intent(metadata_user_id="1")
    assert books.link() == ("reference", "1", "11")
    books.run("DELETE FROM public.payment_transactions")
    assert books.link() == ("metadata", "1", None)
    books.run("DELETE FROM public.users")
    assert books.link() == ("none", None, None)


def test_a_view_that_gives_an_id_twice_is_refused_by_name(engine: Engine) -> None:
    books = Books(engine)
    try:
        with engine.begin() as connection:
            definition = connection.execute(text("SELECT pg_get_viewdef('recon.app_users')")).scalar_one()
            twice = definition.rstrip(";")
            connection.exec_driver_sql(f"CREATE OR REPLACE VIEW recon.app_users AS {twice} UNION ALL {twice}")
        books.user(1)
        with pytest.raises(SchemaError, match=r"recon\.app_users"):
            books.refresh()
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE OR REPLACE VIEW recon.app_users AS {definition}")
        books.empty()


@pytest.mark.parametrize("seed", range(3))
def test_looking_at_changes_only_ends_as_looking_at_everything(books: Books, seed: int) -> None:
    dice = random.Random(seed)
    for step in range(STEPS):
        for _ in range(dice.randint(1, 3)):
            _happening(books, dice)
        books.refresh()
        if step % 5 == 0:
            assert books.refresh(everything=True).rows_written == 0


def _happening(books: Books, dice: random.Random) -> None:
    """Something happens on one of the two sides; few ids, so that claims meet.

    What belongs to what at the provider is fixed when an object is made, and so it is here: by the object's number.
    """
    number = dice.choice(IDS)
    has_intent = number % 2 == 1

    def one(prefix: str) -> str:
        return f"{prefix}{dice.choice(IDS)}"

    def maybe(*values: str) -> str | None:
        return dice.choice([None, *values])

    def put(table: str, template: dict[str, Any], **values: Any) -> Callable[[], None]:
        return lambda: books.replace(table, **template | values)

    def user() -> None:
        books.run(
            "INSERT INTO public.users (id, username, email, stripe_customer_id) VALUES (:id, 'u', 'u@example.com', :c)"
            " ON CONFLICT (id) DO UPDATE SET stripe_customer_id = excluded.stripe_customer_id",
            id=dice.choice(IDS), c=maybe(one("cus_")),
        )  # fmt: skip

    def payment() -> None:
        books.run(
            "INSERT INTO public.payment_transactions"
            " (id, user_id, payment_method, transaction_id, tx_hash, status, amount, currency)"
            " VALUES (:id, (SELECT id FROM public.users WHERE id = :u), :p, :r, :h, 'completed', 1, 'usd')"
            " ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, payment_method = excluded.payment_method,"
            " transaction_id = excluded.transaction_id, tx_hash = excluded.tx_hash",
            id=dice.choice(IDS), u=dice.choice(IDS), p=dice.choice(["stripe", "stripe", "nowpayments", "okx"]),
            r=maybe(one("pi_"), one("ch_"), one("cs_"), one("d"), one("5"), one("in_")), h=maybe(one("hash")),
        )  # fmt: skip

    def gone() -> None:
        books.run("DELETE FROM public.payment_transactions WHERE id = :id", id=dice.choice(IDS))

    read_at = AS_OF + timedelta(minutes=dice.randint(-5, 5))
    named = {"metadata_user_id": maybe(one("")), "metadata_payment_id": maybe(one(""))}
    app = {"metadata_app": dice.choice([None, None, None, "other"])}
    customer = {"customer_id": maybe(one("cus_"))}
    of_payment = {"payment_intent_id": f"pi_{number}" if number in {1, 2} else None, "charge_id": f"ch_{number}"}
    dice.choice(
        [
            user,
            payment,
            payment,
            gone,
            put(
                "stripe_payment_intents", INTENT, object_id=one("pi_"), charge_id=maybe(one("ch_")),
                status=dice.choice(["succeeded", "canceled"]), charge_amount_refunded=dice.randint(0, 9),
                charge_disputed=dice.choice([True, False]), read_at=read_at, invoice_id=maybe(one("in_")),
                **named, **app, **customer,
            ),
            put(
                "stripe_charges", CHARGE, object_id=f"ch_{number}", **named, **customer,
                payment_intent_id=f"pi_{number}" if has_intent else None,
            ),
            put(
                "stripe_refunds", REFUND, object_id=f"re_{number}", amount=dice.randint(1, 9), read_at=read_at,
                status=dice.choice(["succeeded", "failed"]), **of_payment,
            ),
            put("stripe_disputes", DISPUTE, object_id=f"dp_{number}", **of_payment),
            put("stripe_transfers", TRANSFER, object_id=f"tr_{number}", charge_id=f"ch_{number}", **named),
            put(
                "stripe_checkout_sessions", SESSION, object_id=f"cs_{number}", client_reference_id=maybe(one("")),
                payment_intent_id=f"pi_{(number + 1) // 2}", **named,
            ),
            put("stripe_customers", CUSTOMER, object_id=one("cus_"), metadata_user_id=maybe(one(""))),
            put(
                "nowpayments_payments", CRYPTO, object_id=f"5{number}", order_id=maybe(one("")),
                parent_id=None if has_intent else f"5{number - 1}", invoice_id=f"5{number // 2}",
            ),
            put("okx_deposits", DEPOSIT, object_id=one("d"), tx_id=maybe(one("hash"))),
        ]
    )()  # fmt: skip
