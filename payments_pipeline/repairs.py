"""Where people look at repairs and decide on them: what the commands `actions` and `activate` do.

Belongs here: reading for people, tables, asking the layers below. Does not belong here: any rule (remediation/), or
parsing words (actions_cli.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import Engine

from payments_pipeline.config import Settings
from payments_pipeline.core.likeness import did_you_mean
from payments_pipeline.db.engine import get_engine
from payments_pipeline.db.sql import named
from payments_pipeline.errors import ConfigurationError, PaymentsPipelineError, PermanentError
from payments_pipeline.json_output import for_people, write_json
from payments_pipeline.providers.catalogue import configured_providers
from payments_pipeline.providers.desk import Desk
from payments_pipeline.remediation import oversight
from payments_pipeline.remediation.actions import apply, propose_target
from payments_pipeline.remediation.facts import jsonable
from payments_pipeline.remediation.recheck import Looker, look_again
from payments_pipeline.reports import load_reports
from payments_pipeline.screen import Table, screen

FOUND, WELL = 1, 0
_TIME = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)[\d.]*\+00:00$")
STATES = ("proposed", "approved", "applying", "verified", "failed", "rejected", "expired")


def run_list(settings: Settings, *, state: str | None, limit: int, json: Path | None) -> int:
    """The newest actions, live ones unless a state is named. Exit code 1 when some wait for people.

    Raises:
        ConfigurationError: there is no such state.
    """
    if state is not None and state not in STATES:
        raise ConfigurationError(
            f"No action is {state!r}.",
            where="--state",
            remedy=did_you_mean(state, STATES, f"One of {', '.join(STATES)}."),
        )
    rows = rows_of(get_engine(settings), "remediation/list_actions.sql", state=state, max_rows=limit)
    write_json(json, rows)
    if for_people(json):
        table = Table("id", "state", "kind", "target", "sum", "approvals", "proposed by", "why")
        for row in rows:
            table.add_row(
                str(row["action_id"]), row["state"], row["kind"], words(row["target"]), _money(row),
                str(row["approvals"]), row["proposed_by"], row["reason"] or "",
            )  # fmt: skip
        wide_console().print(table)
        if len(rows) == limit:
            wide_console().print(f"These are the newest {limit}; --limit shows more.")
    return FOUND if any(row["state"] == "proposed" for row in rows) else WELL


def run_show(settings: Settings, action_id: int, *, json: Path | None) -> int:
    """Everything about one action: what it would change, who agreed, what was asked of the provider, its trail.

    Raises:
        PermanentError: there is no such action.
    """
    engine = get_engine(settings)
    found = rows_of(engine, "remediation/show_action.sql", action_id=action_id)
    if not found:
        raise PermanentError(f"There is no action {action_id}.", where="recon.actions", remedy="List the actions.")
    approvals = rows_of(engine, "remediation/approvals_of.sql", action_id=action_id)
    trail = rows_of(engine, "remediation/trail_of.sql", action_id=action_id)
    write_json(json, {"action": found[0], "approvals": approvals, "trail": trail})
    if not for_people(json):
        return WELL
    action, console = found[0], wide_console()
    console.print(f"Action {action_id}: {action['kind']}, {action['state']}", highlight=False)
    console.print(f"  of: {words(action['target'])}", highlight=False)
    console.print(f"  because: {action['reason']}", highlight=False)
    _show_effects(console, action["effects"])
    for one in approvals:
        when = _told(one["approved_at"])
        console.print(f"  approved by {one['approver']} at {when} {one['note'] or ''}", highlight=False)
    for one in trail:
        console.print(f"  {_told(one['at'])} {one['event']} by {one['actor']}: {one['reason'] or ''}", highlight=False)
    return WELL


def run_approve(settings: Settings, action_id: int, *, actor: str, as_of: datetime, note: str | None) -> int:
    """One person's approval."""
    result = oversight.approve(get_engine(settings), action_id, actor=actor, as_of=as_of, note=note)
    wide_console().print(f"Action {action_id} is {result.state}: {result.reason}", highlight=False)
    return WELL


def run_reject(settings: Settings, action_id: int, *, actor: str, as_of: datetime, reason: str) -> int:
    """One person's decision against it."""
    oversight.reject(get_engine(settings), action_id, actor=actor, as_of=as_of, reason=reason)
    wide_console().print(f"Action {action_id} is rejected.", highlight=False)
    return WELL


def run_apply(settings: Settings, action_id: int, *, actor: str, as_of: datetime, dry_run: bool) -> int:
    """Carry one action out, or say what it would change. Exit code 1 when it did, or would, not come to its end."""
    engine = get_engine(settings)
    desk = desk_of(settings, as_of, engine)
    result = apply(
        engine, action_id, actor=actor, as_of=as_of, dry_run=dry_run, contract_dir=settings.contract_dir, desk=desk
    )  # fmt: skip
    console = wide_console()
    verb = "would be" if dry_run else "is"
    console.print(f"Action {action_id} {verb} {result.state}: {result.reason or ''}", highlight=False)
    _show_effects(console, result.effects)
    if dry_run:
        console.print("Nothing was changed. Say --no-dry-run to do it.", highlight=False)
    elif result.state == "verified":
        _look_again(console, settings, engine, desk, action_id, as_of=as_of)
    return WELL if result.state == "verified" else FOUND


def _look_again(
    console: Console, settings: Settings, engine: Engine, desk: Desk, action_id: int, *, as_of: datetime
) -> None:
    """Its findings end with it, where the provider was read in full."""
    looker = Looker(
        engine, settings, desk, load_reports(), configured_providers(settings), lambda: as_of, lambda: as_of
    )  # fmt: skip
    try:
        look = look_again(looker, [action_id])
    except PaymentsPipelineError as error:
        console.print(f"It stands, but its findings could not be judged now: {error}", highlight=False)
        return
    if look.reports:
        console.print(f"Looked again: {', '.join(look.reports)}; {look.resolved} findings resolved.", highlight=False)


def run_propose(settings: Settings, kind: str, target: Mapping[str, str], *, actor: str, as_of: datetime, reason: str,
                dry_run: bool) -> int:  # fmt: skip
    """Propose a repair of what a person names. Exit code 1 when it is not due."""
    engine = get_engine(settings)
    desk = desk_of(settings, as_of, engine)
    view = propose_target(engine, kind, target, actor=actor, as_of=as_of, reason=reason, desk=desk, dry_run=dry_run)
    console = wide_console()
    if view.state == "rejected":
        console.print(f"Not due: {view.reason}", highlight=False)
        return FOUND
    said = "It would be proposed" if dry_run else f"Action {view.action_id} is proposed"
    console.print(f"{said}: {view.kind}, {words(view.target)}", highlight=False)
    _show_effects(console, view.effects)
    return WELL


def run_activate(
    settings: Settings, *, user: str, plan: str | None, actor: str, as_of: datetime, reason: str, dry_run: bool
) -> int:
    """Give a user a plan, or without one what the newest payment bought. Exit code 1 when it is not due."""
    kind = "activate_subscription" if plan is None else "activate_by_hand"
    target = {"user_id": user} | ({} if plan is None else {"plan_id": plan})
    engine = get_engine(settings)
    view = propose_target(engine, kind, target, actor=actor, as_of=as_of, reason=reason, dry_run=dry_run)
    console = wide_console()
    if view.state == "rejected" or view.action_id is None:
        console.print(f"Not due: {view.reason}" if view.state == "rejected" else "It would be so:", highlight=False)
        _show_effects(console, view.effects)
        if view.state != "rejected":
            console.print("Nothing was changed. Say --no-dry-run to do it.", highlight=False)
        return FOUND if view.state == "rejected" else WELL
    return run_apply(settings, view.action_id, actor=actor, as_of=as_of, dry_run=False)


def run_timeline(settings: Settings, *, user: str | None, payment: str | None, json: Path | None) -> int:
    """What the audit trail holds about a user or a payment. Exit code 1 when it holds nothing."""
    rows = rows_of(get_engine(settings), "remediation/timeline.sql", user_ref=user, payment_ref=payment)
    write_json(json, rows)
    if not for_people(json):
        return WELL if rows else FOUND
    table = Table("row", "when", "what", "action", "who", "why")
    for row in rows:
        action = "" if row["action_id"] is None else str(row["action_id"])
        table.add_row(str(row["audit_id"]), _told(row["at"]), row["event"], action, row["actor"], row["reason"] or "")
    wide_console().print(table)
    return WELL if rows else FOUND


def desk_of(settings: Settings, as_of: datetime, engine: Engine) -> Desk:
    """Where repairs ask the configured providers."""
    return Desk(settings, lambda: as_of, engine)


def rows_of(engine: Engine, statement: str, **values: Any) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        found = connection.execute(named(statement), values).mappings().all()
    return [{key: jsonable(value) for key, value in row.items()} for row in found]


def _show_effects(console: Console, effects: Sequence[Mapping[str, Any]]) -> None:
    if not effects:
        return
    table = Table("what", "field", "before", "after")
    for one in effects:
        table.add_row(str(one["what"]), str(one["field"]), _told(one["before"]), _told(one["after"]))
    console.print(table)


def _told(value: Any) -> str:
    """Of a time no more than its seconds; nothing of what is empty."""
    return "" if value is None else _TIME.sub(r"\1 \2", str(value))


def words(target: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in target.items())


def _money(row: Mapping[str, Any]) -> str:
    return "" if row["amount"] is None else f"{row['amount']} {row['currency']}"


def wide_console() -> Console:
    """Whatever is shown came from outside at some point: brackets and colons are only that."""
    return screen(soft_wrap=True, markup=False)
