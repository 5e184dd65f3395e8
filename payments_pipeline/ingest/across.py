"""One run across configured accounts: each is asked who it is, then read; one that fails leaves the others.

Belongs here: which accounts and resources a run is for, and refusing a request that makes no sense. Does not belong
here: how one account is read (incremental.py, backfill.py), showing what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from payments_pipeline.core.likeness import did_you_mean
from payments_pipeline.errors import ConfigurationError, PaymentsPipelineError
from payments_pipeline.ingest.backfill import RANGES, THREADS, RangeDone, backfill
from payments_pipeline.ingest.coverage import Coverage
from payments_pipeline.ingest.incremental import incremental
from payments_pipeline.ingest.renamed import unless_renamed
from payments_pipeline.ingest.unread import certify_unread
from payments_pipeline.providers.accounts import ConfiguredProvider, identified
from payments_pipeline.providers.base import Account, Clock, Window
from payments_pipeline.providers.catalogue import SPECS

WHERE = "backfill"


@dataclass(frozen=True, slots=True)
class Run:
    """What all readings of one run share; see `incremental` and `backfill`."""

    engine: Engine
    as_of: datetime
    run_id: str | None
    clock: Clock
    keep_raw: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be backfilled.

    Attributes:
        resources: names; empty: all of the provider's.
        account: name in the configuration; None: all accounts of the provider.
        open_end: the window may end in the future, of which nothing is read; its name stays the same meanwhile, so
            that a backfill of the present month can be taken up where it stopped.
        ranges, threads: of each resource of each account.
    """

    provider: str
    window: Window
    resources: tuple[str, ...] = ()
    account: str | None = None
    open_end: bool = False
    ranges: int = RANGES
    threads: int = THREADS


@dataclass(slots=True)
class Reading:
    """What a run read of one resource of one account.

    Attributes:
        label: the account's name in the configuration.
        account: the provider's id of it; None where it did not tell.
        done, total: ranges of a backfill read in full, and ranges in all; both 0 where nothing was left to read.
        error: why the account was not read at all.
    """

    provider: str
    label: str
    account: str | None
    resource: str
    certificates: list[Coverage] = field(default_factory=list)
    done: int = 0
    total: int = 0
    error: str | None = None

    @property
    def complete(self) -> bool:
        return self.error is None and self.done == self.total and all(one.complete for one in self.certificates)

    @property
    def objects(self) -> int:
        return sum(one.objects for one in self.certificates)

    @property
    def rows_written(self) -> int:
        return sum(one.rows_written for one in self.certificates)

    @property
    def rejected(self) -> int:
        return sum(one.rejected for one in self.certificates)

    @property
    def problem(self) -> str | None:
        """Why it is not complete, and what to do; None: it is."""
        if self.complete:
            return None
        told = [one.error for one in self.certificates if one.error]
        return self.error or (told[0] if told else "The provider failed too often; ranges were given up. Run again.")


Progress = Callable[[Reading, RangeDone], None]


def catch_up(run: Run, providers: Sequence[ConfiguredProvider]) -> list[Reading]:
    """Read what changed, of every account given; they may be of several providers.

    Returns:
        One reading a resource of each account. An account that can't be identified, or may not be read, gets
        incomplete certificates (see `certify_unread`), and its readings say why.
    """
    readings: list[Reading] = []
    asked = unless_renamed(run.engine, identified(providers))
    read: dict[str, set[str]] = {}
    failed: list[tuple[ConfiguredProvider, str | None, PaymentsPipelineError]] = []
    for one in asked:
        if one.account is None:
            assert one.error is not None  # noqa: S101  (exactly one of the two is set)
            failed.append((one.provider, one.provider.expected_account, one.error))
            continue
        try:
            made = incremental(
                run.engine, one.provider, one.account,
                as_of=run.as_of, run_id=run.run_id, clock=run.clock, keep_raw=run.keep_raw,
            )  # fmt: skip
        except PaymentsPipelineError as error:
            failed.append((one.provider, one.account.account, error))
            continue
        read.setdefault(one.account.provider, set()).add(one.account.account)
        readings += _by_resource(one.provider, one.account, made)
    for provider, account, why in failed:
        readings += _unread(run, provider, account, why, read.get(provider.name, set()))
    return readings


def checked(request: Request, providers: Sequence[ConfiguredProvider], now: datetime) -> list[ConfiguredProvider]:
    """The accounts that a backfill is for.

    Args:
        providers: all configured accounts.

    Raises:
        ConfigurationError: the request makes no sense, in one sentence.
    """
    known = {spec.provider: [one.name for one in SPECS if one.provider == spec.provider] for spec in SPECS}
    own = [one for one in providers if one.name == request.provider]
    labels = [one.label for one in own]
    window = request.window
    strange = sorted(set(request.resources) - set(known.get(request.provider, ())))
    if request.provider not in known:
        _refuse(
            f"There is no provider {request.provider!r}.",
            did_you_mean(request.provider, known, f"Choose one of {', '.join(known)}."),
        )
    if strange:
        names = known[request.provider]
        remedy = did_you_mean(strange[0], names, f"Choose among {', '.join(names)}.")
        _refuse(f"{request.provider} has no resource {strange[0]!r}.", remedy)
    if not own:
        _refuse(f"{request.provider} has no credentials.", "Set them: see .env.example.")
    if request.account is not None and request.account not in labels:
        _refuse(f"{request.provider} has no account called {request.account!r}.", f"Choose one of {', '.join(labels)}.")
    if window.start >= window.end:
        _refuse(
            f"The window begins at {window.start.isoformat()}, which is not before its end, {window.end.isoformat()}.",
            "Exchange them.",
        )
    if window.start >= now or (window.end > now and not request.open_end):
        late = window.start if window.start >= now else window.end
        _refuse(f"{late.isoformat()} lies in the future.", f"End the window at {now:%Y-%m-%dT%H:%M:%SZ} or before.")
    return [one for one in own if request.account in {None, one.label}]


def backfill_across(
    run: Run, request: Request, providers: Sequence[ConfiguredProvider], progress: Progress | None = None
) -> list[Reading]:
    """Backfill the resources of the accounts, one after the other, each in ranges side by side.

    A repeated call with the same window goes on where the one before stopped.

    Args:
        providers: from `checked`.
        progress: called after each range.

    Returns:
        One reading a resource of each account; an account that does not answer has one for each, which says why.

    Raises:
        PaymentsPipelineError: none of the accounts answered.
        WrongAccountError: an account was read in the other mode before.
    """
    asked = identified(providers)
    if request.account is None:
        asked = unless_renamed(run.engine, asked)
    if asked and all(one.error is not None for one in asked):
        raise next(one.error for one in asked if one.error is not None)
    readings = []
    for one in asked:
        for resource in [name for name in one.provider.resources if not request.resources or name in request.resources]:
            reading = Reading(one.provider.name, one.provider.label, None, resource)
            readings.append(reading)
            if one.account is None:
                reading.error = str(one.error)
                continue
            reading.account = one.account.account
            _backfill(run, request, one.provider, reading, account=one.account, progress=progress)
    return readings


def _backfill(
    run: Run,
    request: Request,
    provider: ConfiguredProvider,
    reading: Reading,
    *,
    account: Account,
    progress: Progress | None,
) -> None:
    def note(step: RangeDone) -> None:
        reading.certificates += step.certificates
        reading.done, reading.total = step.done, step.total
        if progress is not None:
            progress(reading, step)

    backfill(
        run.engine, provider, account, reading.resource, request.window,
        as_of=run.as_of, run_id=run.run_id, clock=run.clock, keep_raw=run.keep_raw,
        ranges=request.ranges, threads=request.threads, progress=note,
    )  # fmt: skip


def _by_resource(provider: ConfiguredProvider, account: Account, made: Sequence[Coverage]) -> list[Reading]:
    return [
        Reading(
            provider.name,
            provider.label,
            account.account,
            resource,
            certificates=[one for one in made if one.resource == resource],
        )
        for resource in provider.resources
    ]


def _unread(
    run: Run, provider: ConfiguredProvider, account: str | None, error: PaymentsPipelineError, read: Collection[str]
) -> list[Reading]:
    readings = []
    for resource in provider.resources:
        certify_unread(
            run.engine, provider.name, resource, Window(run.as_of, run.as_of), error, as_of=run.as_of,
            mode="incremental", run_id=run.run_id, clock=run.clock, expected=account, read=read,
        )  # fmt: skip
        readings.append(Reading(provider.name, provider.label, account, resource, error=str(error)))
    return readings


def _refuse(what: str, remedy: str) -> None:
    raise ConfigurationError(what, where=WHERE, remedy=remedy)
