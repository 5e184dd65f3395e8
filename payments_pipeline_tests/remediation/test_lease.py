"""An action under way belongs to who began it for as long as its call may last, and no call outlasts that."""

from __future__ import annotations

import pytest

from payments_pipeline.errors import TransientError
from payments_pipeline.providers.desk import Patience
from payments_pipeline.remediation.lease import PROVIDER_SECONDS, call_seconds, lease_seconds
from payments_pipeline_tests.remediation.teller import Teller

LEFT = "SELECT extract(EPOCH FROM leased_until - clock_timestamp()) FROM recon.actions"


@pytest.mark.parametrize("patience", [Patience(0.5, 1), Patience(20.0, 5), Patience(120.0, 10)])
def test_a_lease_holds_a_reading_with_all_its_tries_and_then_the_longest_call(patience: Patience) -> None:
    connect_and_answer = 2 * patience.timeout
    assert call_seconds(patience) >= connect_and_answer + PROVIDER_SECONDS
    assert lease_seconds(patience) >= patience.attempts * patience.timeout + call_seconds(patience)


def test_the_lease_follows_the_configured_time_out(teller: Teller) -> None:
    _, action = teller.proposed("release_authorization")
    teller.town.run("UPDATE recon.policies SET approvals = 0")
    teller.killed(action, "claimed")
    assert 0 <= lease_seconds(teller.desk.patience) - float(teller.town.run(LEFT)) < 5


def test_a_call_that_might_outlast_its_lease_is_not_made(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0")
    intent, action = teller.proposed("release_authorization")
    longest = call_seconds(teller.desk.patience)

    def reading_takes_long(step: str) -> None:
        if step == "claimed":
            sooner = "UPDATE recon.actions SET leased_until = clock_timestamp() + make_interval(secs => :left)"
            teller.town.run(sooner, left=longest - 1)

    held = teller.apply(action, step=reading_takes_long)
    assert (held.state, "nobody was asked" in str(held.reason)) == ("applying", True)
    assert teller.calls() == []
    assert teller.apply(action, actor="next").state == "verified", "nothing was asked: nobody has to wait"
    assert teller.moves(intent) == [("cancel", 0)]


def test_a_worker_that_lost_the_database_during_its_call_keeps_others_out_until_the_lease_ends(teller: Teller) -> None:
    teller.town.run("UPDATE recon.policies SET approvals = 0")
    intent, action = teller.proposed("release_authorization")
    seen: list[str] = []

    def lose_the_database(step: str) -> None:
        if step == "called":
            cut = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND state = 'idle in transaction' AND datname = current_database()"
            )
            teller.town.run(cut)
            seen.append(str(teller.apply(action, actor="second").reason))

    with pytest.raises(TransientError, match="settled by reading"):
        teller.apply(action, step=lose_the_database)
    assert seen == ["Somebody is at it, or its outcome is open."]
    teller.lease_over()
    assert teller.apply(action, actor="second").state == "verified"
    assert teller.moves(intent) == [("cancel", 0)]
