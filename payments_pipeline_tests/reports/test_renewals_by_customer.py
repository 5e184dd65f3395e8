"""Objects that name only the customer, and rows that refer to no object: one row stands for one object, as many objects
as possible have one, and of two the later is one too many. Held against a plain oracle."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sqlalchemy import text

from payments_pipeline_tests.reports.effort import executed, most_looked_at
from payments_pipeline_tests.reports.ledger import Ledger, ago

SAME_DAYS = 3


def plant(ledger: Ledger, payers: dict[str, tuple[list[float], list[float]]]) -> None:
    """Payers by name, with how many days ago their objects and their rows were made; an object is called NAME-DAYS."""
    objects = [
        {"user": number, "ref": f"{name}-{days:g}", "at": ago(days=days)}
        for number, (name, (there, _)) in enumerate(payers.items(), 1)
        for days in there
    ]
    rows = [
        {"user": number, "ref": f"in_{place}", "at": ago(days=days)}
        for number, (_, here) in enumerate(payers.values(), 1)
        for place, days in enumerate(here)
    ]
    statements: tuple[tuple[str, list[dict[str, Any]]], ...] = (
        (
            "INSERT INTO public.users (id, username, email, stripe_customer_id)"
            " VALUES (:user, :name, :name, 'cus_' || :name)",
            [{"user": number, "name": name} for number, name in enumerate(payers, 1)],
        ),
        (
            "INSERT INTO public.payment_transactions (user_id, status, payment_method, transaction_id, amount,"
            " currency, created_at, updated_at) VALUES (:user, 'completed', 'stripe', :ref, 20, 'USD', :at, :at)",
            rows,
        ),
        (
            "INSERT INTO recon.provider_transactions (provider, account, provider_ref, kind, livemode, state,"
            " raw_status, amount, currency, amount_received, received_currency, user_ref, link_method,"
            " provider_created_at, state_changed_at, read_at, paid_at) VALUES ('stripe', 'acct_1', :ref, 'payment',"
            " TRUE, 'paid', 'succeeded', 20, 'USD', 20, 'USD', CAST(:user AS text), 'customer', :at, :at, :at, :at)",
            objects,
        ),
    )
    with ledger.engine.begin() as connection:
        for statement, values in statements:
            if values:
                connection.execute(text(statement), values)


def told(ledger: Ledger) -> set[str]:
    ledger.run("orphan_provider_payments")
    with ledger.engine.connect() as connection:
        return set(connection.execute(text("SELECT provider_ref FROM reports.orphan_provider_payments")).scalars())


@pytest.mark.parametrize(
    ("there", "here", "expected"),
    [
        ([6, 1], [3.5], {"kim-1"}),
        ([6, 1], [3.5, 0.5], set()),
        ([6, 1], [8, 3.5], set()),
        ([6, 5, 1], [3.5, 3.4], {"kim-1"}),
        ([8, 5, 2], [6.5, 3.5], {"kim-2"}),
        ([6.1, 0.1], [3.1], {"kim-0.1", "kim-6.1"}),
        ([6], [5, 4], set()),
    ],
)
def test_a_row_between_two_objects_stands_for_one_of_them(
    ledger: Ledger, there: list[float], here: list[float], expected: set[str]
) -> None:
    plant(ledger, {"kim": (there, here)})
    assert told(ledger) == expected


def test_objects_of_two_accounts_share_no_row(ledger: Ledger) -> None:
    plant(ledger, {"kim": ([2, 1], [1.5])})
    with ledger.engine.begin() as connection:
        connection.execute(
            text("UPDATE recon.provider_transactions SET account = 'acct_2' WHERE provider_ref = 'kim-1'")
        )
    assert told(ledger) == {"kim-1"}


def settled(there: list[float], here: list[float]) -> int:
    """How many of these objects can have a row of their own, by augmenting paths."""
    holder: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        for row, at in enumerate(here):
            if abs(there[one] - at) < SAME_DAYS and row not in tried:
                tried.add(row)
                if row not in holder or place(holder[row], tried):
                    holder[row] = one
                    return True
        return False

    return sum(place(one, set()) for one in range(len(there)))


def test_as_many_objects_as_possible_have_a_row_and_the_earlier_ones_first(ledger: Ledger) -> None:
    draw = random.Random(56)
    payers = {
        f"payer{number}": (
            sorted({draw.randrange(200) / 10 + 0.5 for _ in range(draw.randint(1, 8))}, reverse=True),
            [draw.randrange(200) / 10 + 0.52 for _ in range(draw.randint(0, 8))],
        )
        for number in range(80)
    }
    plant(ledger, payers)
    expected = set()
    for name, (there, here) in payers.items():
        having: list[float] = []
        for days in there:
            if settled([*having, days], here) > len(having):
                having.append(days)
            else:
                expected.add(f"{name}-{days:g}")
    assert told(ledger) == expected
    assert 80 < len(expected) < 300


def test_hundreds_of_equal_charges_of_one_payer_are_a_step_each(ledger: Ledger) -> None:
    many = 400
    there = [10 - number / 100 for number in range(many)]
    plant(ledger, {"kim": (there, [days - 0.001 for days in there[::2]])})
    assert len(told(ledger)) == many / 2
    rows, step = most_looked_at(executed(ledger.engine, "orphan_provider_payments"))
    assert rows <= many * many, step
