"""How a resource stands: from when to when it was read, what is missing in between, how far the runs have come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from payments_pipeline.errors import CredentialsError
from payments_pipeline.ingest.across import Run, catch_up
from payments_pipeline.ingest.backfill import backfill
from payments_pipeline.ingest.coverage import latest
from payments_pipeline.ingest.standing import Standing, standing, standings
from payments_pipeline.ingest.sweep import sweep
from payments_pipeline.providers.base import Account, Window
from payments_pipeline_tests.ingest.living import START, Living, Time

INTENTS = "payment_intents"


@pytest.fixture
def provider() -> Living:
    made = Living(Time(), page=100)
    made.time.pass_by(days=40)
    return made


class Labelled(Living):
    """A configured account that may refuse to say who it is."""

    label = "default"
    expected_account: str | None = None
    refuses = False

    def identify(self) -> Account:
        if self.refuses:
            raise CredentialsError("Stripe refused the key.", remedy="Set STRIPE_API_KEY.")
        return super().identify()


def now(engine: Engine, provider: Living, **more: object) -> Standing:
    with engine.connect() as connection:
        return standing(connection, "stripe", "acct_1", INTENTS, **more)  # type: ignore[arg-type]


def read(engine: Engine, provider: Living, first: float, last: float) -> None:
    window = Window(START + timedelta(days=first), START + timedelta(days=last))
    backfill(
        engine, provider, provider.account, INTENTS, window,
        as_of=provider.time.now, run_id=None, clock=provider.time, ranges=1, threads=1,
    )  # fmt: skip


def test_nothing_is_known_of_what_was_never_read(engine: Engine, provider: Living) -> None:
    found = now(engine, provider)
    assert (found.covered_from, found.covered_to, found.gaps, found.listed_to, found.rejected) == (
        None, None, (), None, 0,
    )  # fmt: skip


def test_what_lies_between_two_backfills_is_a_gap(engine: Engine, provider: Living) -> None:
    read(engine, provider, 0, 5)
    read(engine, provider, 8, 10)
    found = now(engine, provider)
    assert (found.covered_from, found.covered_to) == (START, START + timedelta(days=10))
    assert found.gaps == (Window(START + timedelta(days=5), START + timedelta(days=8)),)
    wider = now(engine, provider, since=START - timedelta(days=1), until=START + timedelta(days=11))
    assert [gap.end - gap.start for gap in wider.gaps] == [timedelta(days=1), timedelta(days=3), timedelta(days=1)]


def test_what_the_last_sweep_found_missed_stays_known_when_changes_were_read_since(
    engine: Engine, provider: Living
) -> None:
    served = Labelled(provider.time, page=100)
    (one,) = served.pay()
    served.time.pass_by(days=1)
    run = Run(engine, served.time.now, None, served.time)
    catch_up(run, [served])
    served.life.refund(one["latest_charge"], at=served.time.now, event=False)
    at = served.time.pass_by(hours=1)
    window = Window(at - timedelta(days=10), at)
    sweep(engine, served, served.account, INTENTS, window, as_of=at, run_id=None, clock=served.time)
    at = served.time.pass_by(minutes=5)
    catch_up(Run(engine, at, None, served.time), [served])

    with engine.connect() as connection:
        ((newest, found),) = [pair for pair in standings(connection) if pair[0].resource == INTENTS]
    assert (newest.mode, newest.missed_by_feed) == ("incremental", None)
    assert found.missed_by_feed == 1
    assert found.listed_to == at.replace(microsecond=0)


@pytest.fixture
def two(provider: Living) -> list[Labelled]:
    first, second = Labelled(provider.time), Labelled(provider.time)
    second.label, second.account = "other", Account("stripe", "acct_2", False)
    return [first, second]


def test_an_account_that_does_not_answer_leaves_the_other_and_says_why(engine: Engine, two: list[Labelled]) -> None:
    first, second = two
    first.pay(2)
    run = Run(engine, first.time.pass_by(days=1), None, first.time)
    assert all(one.complete for one in catch_up(run, two))
    first.pay(1)
    second.refuses = True

    run = Run(engine, first.time.pass_by(minutes=5), None, first.time)
    readings = {(one.label, one.resource): one for one in catch_up(run, two)}

    assert readings["default", INTENTS].complete
    assert readings["default", INTENTS].rows_written == 1
    assert "STRIPE_API_KEY" in str(readings["other", INTENTS].problem)
    with engine.connect() as connection:
        assert not all(one.complete for one in latest(connection))

    second.refuses = False
    run = Run(engine, first.time.pass_by(minutes=5), None, first.time)
    assert all(one.complete for one in catch_up(run, two))
    with engine.connect() as connection:
        assert all(one.complete for one in latest(connection))


def test_an_account_read_in_the_other_mode_is_not_read_and_said_so(engine: Engine, two: list[Labelled]) -> None:
    first, _second = two
    first.pay(1)
    run = Run(engine, first.time.pass_by(days=1), None, first.time)
    catch_up(run, two)
    first.account = Account("stripe", "acct_1", True)
    run = Run(engine, first.time.pass_by(minutes=5), None, first.time)

    readings = {(one.label, one.resource): one for one in catch_up(run, two)}

    assert "was read in test mode before" in str(readings["default", INTENTS].problem)
    assert readings["other", INTENTS].complete
    with engine.connect() as connection:
        worth = {(one.account, one.resource): one.complete for one in latest(connection)}
    assert worth["acct_1", INTENTS] is False
    assert worth["acct_2", INTENTS] is True
