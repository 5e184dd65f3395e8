"""Carries out a repair that asks a provider for something, in steps that survive a death between any two.

Belongs here: claim, call, settle. Does not belong here: what is asked (one module a kind), whether it may be (gate.py).

1. Claim: both sides are read under lock and held against what the action was planned on; what will be asked is stored
   with its idempotency key and committed.
2. Call: both sides are read again under lock. Is it done already, by us or another, only the application is left to
   do. Is it not to be done any more, the action is rejected. Else the provider is asked, once.
3. Settle: the provider is read back. Only what it shows counts, never what the call answered: then the application's
   rows follow, are read back too, and the action is verified. What stays unclear stays `applying` under a lease, and
   whoever comes next begins at 2. Only in that time may others change the target's rows, and what they did is kept.

The target's rows stay locked during the call, so that nobody uses a hold while it is released; all locks are taken
before it, so that no deadlock can come after it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, TextClause
from sqlalchemy.exc import OperationalError, StatementError

from payments_pipeline.db.sql import named
from payments_pipeline.errors import (
    MalformedObjectError,
    PaymentsPipelineError,
    PermanentError,
    PreconditionError,
    RefusedError,
    ResponseError,
    TransientError,
    UnclearOutcomeError,
)
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation.claims import engaged, lease_left, store_claim
from payments_pipeline.remediation.facts import Facts, canonical, changes, digest
from payments_pipeline.remediation.gate import held_back, over_caps, overtaken, stopped
from payments_pipeline.remediation.kinds import Order, ProviderKind
from payments_pipeline.remediation.lease import call_seconds, new_intent, request_of
from payments_pipeline.remediation.outcome import ActionResult, Outcome, finish, record
from payments_pipeline.remediation.oversight import locked
from payments_pipeline.remediation.planning import objection_of, view_of

HOPELESS = (MalformedObjectError, ResponseError)
"""The other side answers, but nothing that can be read: asking again helps only if it changes."""
MOST_ATTEMPTS = 5
LOCK_TIMEOUT = "10s"

Step = Callable[[str], None]
"""Called with the name of each step that was just completed: what tests interrupt."""


def unwatched(name: str) -> None:
    """Nobody needs to know of the step."""
    del name


@dataclass(frozen=True, slots=True)
class Job:
    """Everything one worker needs for one action."""

    engine: Engine
    action_id: int
    kind: ProviderKind
    desk: Desk
    actor: str
    at: datetime
    writeback: Callable[[str], TextClause]
    step: Step = unwatched

    def order(self, action: Row[Any]) -> Order:
        """Under whose name, when and why."""
        subject = f"finding {action.finding_id}, " if action.finding_id is not None else ""
        return Order(self.actor, self.at, f"{action.reason or action.kind} ({subject}action {action.action_id})")


def carry_out(job: Job) -> ActionResult:
    """Bring an action one attempt further: to its end, or to `applying` under a lease.

    Raises:
        TransientError: a side could not be read, or a lock not be had; what was begun is settled later.
    """
    token = uuid.uuid4().hex
    held = _claim(job, token)
    if held is not None:
        return held
    job.step("claimed")
    return _carry_on(job, token)


def _claim(job: Job, token: str) -> ActionResult | None:
    """Make the action ours, its intent committed; or the result that says why not."""
    with job.engine.begin() as connection:
        connection.execute(named("remediation/lock_timeout.sql"), {"duration": LOCK_TIMEOUT})
        if (reason := stopped(connection, hold=True)) is not None:
            return _as_it_is(connection, job, reason)
        action = locked(connection, job.action_id)
        if action.state == "applying":
            return _take_over(connection, job, action, token)
        return _begin(connection, job, action, token)


def _begin(connection: Connection, job: Job, action: Row[Any], token: str) -> ActionResult | None:
    """From proposed or approved to applying."""
    order = job.order(action)
    if (reason := held_back(connection, action, at=job.at, actor=job.actor)) is not None:
        return _left(action, reason)
    job.kind.lock(connection, action.target, job.writeback)
    try:
        facts = job.kind.read(connection, action.target, as_of=job.at, desk=job.desk)
    except HOPELESS as error:
        return _not_begun(connection, action, order, error)
    if (objection := overtaken(connection, action) or _objection(job, action, facts)) is not None:
        return finish(connection, action, order, Outcome("rejected", facts, facts, objection))
    intent = new_intent(action, job.kind.request(facts), attempt=1)
    reason = engaged(connection, action, intent) or over_caps(connection, action, at=job.at)
    if reason is not None:
        return _left(action, reason)
    store_claim(connection, action, intent, token=token, patience=job.desk.patience, at=job.at)
    view = replace(view_of(action), state="applying")
    record(connection, view, order, before=facts, after=None, provider=intent)
    return None


def _not_begun(connection: Connection, action: Row[Any], order: Order, error: PermanentError) -> ActionResult:
    """An object that lacks something is a failure; an answer that is none may be one of a proxy, and is asked again."""
    reason, known = f"It can't be read: {error}", action.precondition
    before = int((action.result or {}).get("unread", 0)) + 1
    if isinstance(error, MalformedObjectError) or before >= MOST_ATTEMPTS:
        return finish(connection, action, order, Outcome("failed", known, known, reason))
    result = canonical({"unread": before, "reason": reason})
    connection.execute(named("remediation/note_unread.sql"), {"action_id": action.action_id, "result": result})
    return _left(action, reason)


def _take_over(connection: Connection, job: Job, action: Row[Any], token: str) -> ActionResult | None:
    if action.is_leased:
        return _left(action, "Somebody is at it, or its outcome is open.")
    store_claim(connection, action, action.intent, token=token, patience=job.desk.patience, at=None)
    return None


def _carry_on(job: Job, token: str) -> ActionResult:
    with job.engine.begin() as connection:
        connection.execute(named("remediation/lock_timeout.sql"), {"duration": LOCK_TIMEOUT})
        if (reason := stopped(connection, hold=True)) is not None:
            return _as_it_is(connection, job, reason, give_back=token)
        action = locked(connection, job.action_id)
        if action.state != "applying" or action.leased_by != token:
            return _left(action, "Somebody else took it over.")
        job.kind.lock(connection, action.target, job.writeback)
        return _read_and_ask(connection, job, action)


def _read_and_ask(connection: Connection, job: Job, action: Row[Any]) -> ActionResult:
    try:
        facts = job.kind.read(connection, action.target, as_of=job.at, desk=job.desk)
    except HOPELESS as error:
        return _unreadable(connection, job, action, error)
    progress = job.kind.progress(facts, request_of(action.intent))
    job.step("read")
    if progress == "done":
        return _settle(connection, job, action, facts, action.intent)
    if (refusal := _not_to_be_asked(job, action, facts, progress)) is not None:
        return finish(connection, action, job.order(action), refusal)
    room = lease_left(connection, job.action_id) - call_seconds(job.desk.patience)
    if room < 0:
        reason = "Reading took so long that the call might outlast the lease: nobody was asked."
        return _unclear(connection, job, action, action.intent, reason, seconds=0.0)
    return _ask(connection, job, action, facts, within=room)


def _ask(connection: Connection, job: Job, action: Row[Any], facts: Facts, *, within: float) -> ActionResult:
    """The call, and what it left behind. From here on the transaction must not be lost for a mere error."""
    request, intent = request_of(action.intent), dict(action.intent)
    trouble: PaymentsPipelineError | None = None
    try:
        intent["request_id"] = job.desk.stripe(request.account).send(
            request.path, request.parameters, idempotency_key=str(intent["key"]), within=within
        )
        job.step("called")
    except PaymentsPipelineError as error:
        trouble = error
        if isinstance(error, TransientError) and not isinstance(error, UnclearOutcomeError):
            return _unclear(connection, job, action, intent, str(error), seconds=error.retry_after or 0.0)
    after = _seen(connection, job, action)
    progress = "open" if after is None else job.kind.progress(after, request)
    if after is not None and progress == "done":
        return _settle(connection, job, action, after, intent)
    if after is not None and progress == "unsure":
        return finish(connection, action, job.order(action), _unsure(after, intent))
    if isinstance(trouble, UnclearOutcomeError):
        # Not to be seen proves nothing yet. An answered call would be answered the same under the same key.
        following = new_intent(action, request, attempt=int(intent["attempt"]) + 1) if trouble.answered else intent
        return _unclear(connection, job, action, following, str(trouble), seconds=call_seconds(job.desk.patience))
    if after is None or trouble is None:
        reason = str(trouble or "The provider said it was done, and does not show it yet.")
        return _unclear(connection, job, action, intent, reason, seconds=1.0)
    state = "rejected" if isinstance(trouble, RefusedError) else "failed"
    return finish(connection, action, job.order(action), Outcome(state, facts, after, str(trouble), provider=intent))


def _seen(connection: Connection, job: Job, action: Row[Any]) -> Facts | None:
    """Both sides after a call; None where they can't be read now."""
    try:
        return job.kind.read(connection, action.target, as_of=job.at, desk=job.desk)
    except PaymentsPipelineError:
        return None


def _settle(connection: Connection, job: Job, action: Row[Any], facts: Facts, asked: Facts) -> ActionResult:
    """The provider shows it: the application follows, and is read back."""
    order = job.order(action)
    effects = job.kind.plan(action.precondition, as_of=job.at)
    try:
        with connection.begin_nested():
            job.kind.apply(connection, facts, order, job.writeback)
            after = job.kind.read(connection, action.target, as_of=job.at, desk=job.desk)
            if (complaint := job.kind.verify(action.precondition, after)) is not None:
                raise PreconditionError(complaint, remedy="The provider has done it: correct the application by hand.")
    except (OperationalError, TransientError):
        raise  # it stays applying, and is settled later
    except (StatementError, PaymentsPipelineError) as error:
        reason = str(error) if isinstance(error, PaymentsPipelineError) else str(error.orig).splitlines()[0]
        return finish(connection, action, order, Outcome("failed", facts, facts, reason, provider=asked))
    job.step("written")
    trouble = job.kind.aftermath(after)
    state = "verified" if trouble is None else "failed"
    outcome = Outcome(state, action.precondition, after, trouble, effects=effects, provider=asked)
    return finish(connection, action, order, outcome)


def _not_to_be_asked(job: Job, action: Row[Any], facts: Facts, progress: str) -> Outcome | None:
    """Why the provider is not asked (again), after it was read that nothing has happened yet."""
    asked = action.intent
    if progress == "unsure":
        return _unsure(facts, asked)
    if (objection := _objection(job, action, facts)) is not None or progress == "other":
        reason = objection or "Something else has happened at the provider."
        return Outcome("rejected", facts, facts, reason, provider=asked)
    if action.attempts > MOST_ATTEMPTS:
        reason = f"Tried {MOST_ATTEMPTS} times without effect: a person must look."
        return Outcome("failed", facts, facts, reason, provider=asked)
    if int(action.intent["attempt"]) > 1 and not job.kind.repeatable:
        reason = "The provider failed without an effect that shows, and might do it twice: a person must look."
        return Outcome("failed", facts, facts, reason, provider=asked)
    return None


def _unsure(facts: Facts, asked: Facts) -> Outcome:
    """It may have been us: caps count what failed, not what was rejected."""
    reason = "It is done at the provider with another sum, perhaps by us and changed since: a person must look."
    return Outcome("failed", facts, facts, reason, provider=asked)


def _unreadable(connection: Connection, job: Job, action: Row[Any], error: PermanentError) -> ActionResult:
    """What was begun can't be read: somebody may have asked, so it is not refused; it ends with a person."""
    reason = f"It can't be read whether it happened: {error}"
    if action.attempts <= MOST_ATTEMPTS:
        return _unclear(connection, job, action, action.intent, reason, seconds=call_seconds(job.desk.patience))
    known = action.precondition
    outcome = Outcome("failed", known, known, f"{reason} A person must look.", provider=action.intent)
    return finish(connection, action, job.order(action), outcome)


def _unclear(
    connection: Connection, job: Job, action: Row[Any], intent: Facts, reason: str, *, seconds: float
) -> ActionResult:
    row = {"action_id": action.action_id, "intent": canonical(intent), "seconds": seconds, "unasked": 0}
    connection.execute(named("remediation/note_attempt.sql"), row | {"result": canonical({"unclear": reason})})
    view = replace(view_of(action), state="unclear", reason=reason)
    record(connection, view, job.order(action), before={}, after=None, provider=intent, planned_on=action.precondition)
    return ActionResult(action.action_id, "applying", action.effects, reason)


def _objection(job: Job, action: Row[Any], facts: Facts) -> str | None:
    if (objection := objection_of(job.kind, facts, job.at)) is not None:
        return objection
    if digest(facts) == action.precondition_digest:
        return None
    return f"Changed since it was planned: {'; '.join(changes(action.precondition, facts)) or 'details'}."


def _as_it_is(connection: Connection, job: Job, reason: str, *, give_back: str | None = None) -> ActionResult:
    action = locked(connection, job.action_id)
    if give_back is not None and action.leased_by == give_back:
        # Nobody was asked in this turn: it does not count as an attempt.
        row = {"action_id": action.action_id, "intent": canonical(action.intent), "seconds": 0.0, "unasked": 1}
        connection.execute(named("remediation/note_attempt.sql"), row | {"result": canonical({"unclear": reason})})
    return _left(action, reason)


def _left(action: Row[Any], reason: str) -> ActionResult:
    return ActionResult(action.action_id, action.state, action.effects, reason)
