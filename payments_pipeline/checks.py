"""Asset checks: can a snapshot be trusted, and does a report have rows.

Belongs here: one thin Dagster check a question, each over one query. Does not belong here: what follows from a bad
answer for a provider's findings; that is `findings/` and its coverage rule.

What blocks: two accounts or modes in one table, or an object twice, make every figure downstream wrong, so those checks
stop the run there. A fetch that is not complete makes only absence unprovable: downstream goes on for the other
providers, that provider's findings are withheld, and the run fails at its end (`every_provider_was_read`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from sqlalchemy import Row, Select, and_, case, column, false, func, not_, select, table, true

from payments_pipeline.db.sql import named
from payments_pipeline.ingest.coverage import Coverage, latest
from payments_pipeline.ingest.rows import NAMELESS
from payments_pipeline.providers.base import ResourceSpec
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.remediation.audit import verify
from payments_pipeline.reports import Report
from payments_pipeline.resources import DatabaseResource, ProvidersResource

COMPLETE = "read_in_full"
READABLE = "every_object_readable"
ONE_MODE = "one_mode_an_account"
NO_DUPLICATES = "no_duplicates"
EVERY_PROVIDER = "every_provider_was_read"
EMPTY = "no_rows"

EXAMINE = (
    "What to do: `payments-pipeline doctor` examines keys, scopes and accounts; the next run reads it again by itself, "
    "and until then findings that need it are withheld."
)
MIXED = (
    "accounts have live and test objects. What to do: give live and test a database each, and remove the rows of the "
    "mode that does not belong here."
)
TWICE = "objects are stored under two accounts. What to do: remove the rows of the account that is not used any more."
SET_ASIDE = (
    "What to do: look at recon.rejected_objects. It is asked for again at every run; where its form is new, a newer "
    "payments-pipeline may read it."
)
BROKEN = (
    "What to do: find out who wrote to recon.audit_log, and compare with the head that you noted: "
    "`payments-pipeline audit verify`."
)

ERROR = dg.AssetCheckSeverity.ERROR
WARN = dg.AssetCheckSeverity.WARN


def all_checks(configured: frozenset[str], reports: Mapping[str, Report]) -> list[dg.AssetChecksDefinition]:
    """Checks of every asset that can run."""
    specs = [spec for spec in SPECS if spec.provider in configured]
    return [
        *(_snapshot_checks(spec) for spec in specs),
        *(_report_check(report) for report in reports.values()),
        every_provider_check(reports),
        audit_trail_is_whole,
    ]


def _snapshot_checks(spec: ResourceSpec) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"{spec.table}_checks",
        specs=[
            dg.AssetCheckSpec(
                COMPLETE,
                asset=spec.table,
                description="The newest fetch read every page, and every object in it says which it is.",
            ),
            dg.AssetCheckSpec(
                READABLE,
                asset=spec.table,
                description=(
                    "No object had to be set aside (recon.rejected_objects). Only findings about such an object are "
                    "withheld, and it is asked for again at every run: a warning."
                ),
            ),
            dg.AssetCheckSpec(
                ONE_MODE,
                asset=spec.table,
                blocking=True,
                description="No account has live and test objects side by side.",
            ),
            dg.AssetCheckSpec(
                NO_DUPLICATES,
                asset=spec.table,
                blocking=True,
                description="No object is stored under two accounts.",
            ),
        ],
    )
    def run(database: DatabaseResource) -> Iterator[dg.AssetCheckResult]:
        with database.connect() as connection:
            fetches = latest(connection)
            stored = connection.execute(_stored(spec.table)).one()
            names = {"provider": spec.provider, "resource": spec.name, "nameless": f"{NAMELESS}%"}
            rejected = connection.execute(named("checks/rejected_objects.sql"), names).one_or_none()
        problem = unread([(spec.provider, spec.name)], fetches)
        why = problem.get((spec.provider, spec.name), "")
        yield _result(spec.table, COMPLETE, f"{why}. {EXAMINE}" if why else "")
        yield _result(spec.table, READABLE, _set_aside(rejected), severity=WARN)
        yield _result(spec.table, ONE_MODE, _count(stored.mixed_accounts, MIXED))
        yield _result(
            spec.table,
            NO_DUPLICATES,
            _count(stored.duplicates, TWICE),
        )

    return run


def every_provider_check(reports: Mapping[str, Report]) -> dg.AssetChecksDefinition:
    """The verdict at the end of the nightly run, over what the reports need."""
    needed = {
        (provider, name) for report in reports.values() for provider, names in report.coverage.items() for name in names
    }

    @dg.asset_check(
        name=EVERY_PROVIDER,
        asset="findings",
        blocking=True,
        description=(
            "Every list that a report needs was read in full of every configured provider. If not, findings that need "
            "it are withheld and the run ends as failed, after all else was done."
        ),
    )
    def every_provider_was_read(database: DatabaseResource, providers: ProvidersResource) -> dg.AssetCheckResult:
        configured = providers.configured
        wanted = sorted(pair for pair in needed if pair[0] in configured)
        with database.connect() as connection:
            fetches = latest(connection)
        problems = unread(wanted, fetches)
        text = "; ".join(f"{provider} {resource}: {why}" for (provider, resource), why in sorted(problems.items()))
        return _result("findings", EVERY_PROVIDER, f"{text}. {EXAMINE}" if text else "")

    return every_provider_was_read


@dg.asset_check(
    name="audit_trail_is_whole",
    asset="findings",
    description="No row of the audit trail was changed, put in or taken out since it was written.",
)
def audit_trail_is_whole(database: DatabaseResource) -> dg.AssetCheckResult:
    """The hash chain of recon.audit_log holds, and each verified repair has its row."""
    with database.connect() as connection:
        checked = verify(connection)
    broken = "" if checked.trouble is None else f"{checked.trouble} {BROKEN}"
    return _result("findings", "audit_trail_is_whole", broken)


def _stored(raw_table: str) -> Select[tuple[int, int]]:
    """How many accounts mix modes, and how many objects several accounts have.

    Built rather than read from a file because only the table's name differs. An object can be twice only where there
    are several accounts (the primary key sees to the rest), and grouping millions of rows for nothing is not free.
    """
    raw = table(raw_table, column("account"), column("object_id"), column("livemode"), schema="recon")
    live, test = func.bool_or(raw.c.livemode == true()), func.bool_or(raw.c.livemode == false())
    mixed = select(raw.c.account).group_by(raw.c.account).having(and_(live, test)).subquery()
    twice = select(raw.c.object_id).group_by(raw.c.object_id).having(func.count() > 1).subquery()
    one_account = select(func.min(raw.c.account).is_not_distinct_from(func.max(raw.c.account))).scalar_subquery()
    return select(
        select(func.count()).select_from(mixed).scalar_subquery().label("mixed_accounts"),
        case(
            (not_(one_account), select(func.count()).select_from(twice).scalar_subquery()),
            else_=0,
        ).label("duplicates"),
    )


def _report_check(report: Report) -> dg.AssetChecksDefinition:
    @dg.asset_check(name=EMPTY, asset=report.name, description="A healthy day: nothing to report.")
    def run(database: DatabaseResource) -> dg.AssetCheckResult:
        with database.connect() as connection:
            rows = connection.execute(named("checks/newest_report_run.sql"), {"report": report.name}).scalar() or 0
        told = f"{rows} rows. What to do: {report.what_to_do}" if rows else ""
        return _result(report.name, EMPTY, told, severity=WARN, rows=rows)

    return run


def unread(wanted: Sequence[tuple[str, str]], fetches: Sequence[Coverage]) -> dict[tuple[str, str], str]:
    """Which (provider, resource) can't be trusted, and why.

    Args:
        wanted: what should have been read.
        fetches: the newest certificate of each (provider, account, resource).
    """
    problems = {}
    for key in wanted:
        own = [fetch for fetch in fetches if (fetch.provider, fetch.resource) == key]
        if not own:
            problems[key] = "never read"
        bad = [fetch.error or "incomplete" for fetch in own if not fetch.complete]
        if bad:
            problems[key] = ", ".join(bad)
    return problems


def _set_aside(newest: Row[Any] | None) -> str:
    if newest is None:
        return ""
    return f"{newest.objects} objects set aside; the last, {newest.object_id}: {newest.reason}. {SET_ASIDE}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number else ""


def _result(
    asset: str, check: str, problem: str, severity: dg.AssetCheckSeverity = ERROR, **figures: int
) -> dg.AssetCheckResult:
    """Failed where there is a `problem`; `figures` are what the check's page plots over its runs."""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=check,
        passed=not problem,
        severity=severity,
        description=problem or None,
        metadata=figures,
    )
