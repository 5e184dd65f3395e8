"""Do our own tables and the clocks look alive: providers' readings, webhooks, the outbox, the time.

Belongs here: those looks. Does not belong here: Dagster's storage (machinery.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from payments_pipeline.db.sql import named
from payments_pipeline.findings import Amiss
from payments_pipeline.providers.catalogue import configured_providers
from payments_pipeline.reports import load_reports
from payments_pipeline.reports.look import look
from payments_pipeline.watchdog.sight import Sight

FEED_LATE = timedelta(minutes=30)
SILENCE = "webhook_silence"
OUTBOX_LATE = timedelta(minutes=10)
OUTBOX_VERY_LATE = timedelta(hours=1)
DATABASE_SKEW = timedelta(seconds=5)
PROVIDER_SKEW = timedelta(seconds=30)
GRAVE_SKEW = timedelta(minutes=5)
DATE_SECONDS = 5.0


def feeds(sight: Sight) -> dict[str, Amiss]:
    """A configured provider was not read in full for long, or never."""
    with sight.engine.connect() as connection:
        rows = connection.execute(named("watchdog/feeds.sql")).all()
    read = {(row.provider, row.account): row for row in rows}
    configured = configured_providers(sight.settings)
    amiss = {}
    for provider in sorted(configured - {provider for provider, _ in read}):
        amiss[provider] = Amiss("HIGH", {"provider": provider, "reason": "It was never read: see provider_changes."})
    for (provider, account), row in read.items():
        if provider in configured and (row.read_at is None or sight.now - row.read_at > FEED_LATE):
            evidence = {
                "provider": provider, "account": account, "resource": row.resource, "last_read_at": row.read_at,
                "reason": f"{row.resource} was last read in full {sight.ago(row.read_at)}.",
            }  # fmt: skip
            amiss[f"{provider} {account}"] = Amiss("HIGH", evidence)
    return amiss


def webhooks(sight: Sight) -> dict[str, Amiss]:
    """Webhooks stopped while payments went on: the report says so, judged anew."""
    report = load_reports().get(SILENCE)
    if report is None:
        return {}
    overrides = sight.settings.report_params.get(SILENCE, {})
    rows = look(sight.engine, report, as_of=sight.now, overrides=overrides)
    return {str(row["provider"]): Amiss(row["severity"], row) for row in rows}


def outbox(sight: Sight) -> dict[str, Amiss]:
    """Messages wait that should have been sent."""
    asked = {"late": sight.now - OUTBOX_LATE}
    with sight.engine.connect() as connection:
        row = connection.execute(named("watchdog/outbox.sql"), asked).one()
    if not row.waiting:
        return {}
    age = sight.now - row.oldest
    known = sight.settings.discord_webhook_url is not None or bool(sight.settings.alert_channels)
    cause = "is deliver_alerts running, and the channel up?" if known else "no channel is configured."
    reason = f"Messages wait to be sent for more than {int(OUTBOX_LATE.total_seconds()) // 60} minutes: {cause}"
    severity = "HIGH" if age > OUTBOX_VERY_LATE and known else "MEDIUM"
    return {"outbox": Amiss(severity, {"reason": reason, "waiting": row.waiting, "oldest_at": row.oldest})}


def clocks(sight: Sight) -> dict[str, Amiss]:
    """Our clock is not where the database's or a provider's is. Who does not answer says nothing about it."""
    amiss = {}
    skew, unsure = _database(sight)
    if abs(skew) - unsure > DATABASE_SKEW:
        amiss["database"] = _off("the database's", skew)
    for provider, base in _bases(sight).items():
        found = _provider(sight, base)
        if found is not None and abs(found[0]) - found[1] > PROVIDER_SKEW:
            amiss[provider] = _off(f"{provider}'s", found[0], provider)
    return amiss


def _off(whose: str, skew: timedelta, provider: str | None = None) -> Amiss:
    direction = "ahead of" if skew > timedelta(0) else "behind"
    evidence = {"reason": f"Our clock is {direction} {whose}: is NTP on?", "seconds": round(skew.total_seconds(), 1)}
    grave = abs(skew) > GRAVE_SKEW
    return Amiss("HIGH" if grave else "MEDIUM", evidence | ({"provider": provider} if provider else {}))


def _database(sight: Sight) -> tuple[timedelta, timedelta]:
    with sight.engine.connect() as connection:
        before = sight.own_clock()
        theirs: datetime = connection.execute(named("watchdog/database_time.sql")).scalar_one()
        after = sight.own_clock()
    return _between(before, after, theirs)


def _bases(sight: Sight) -> Mapping[str, str]:
    settings = sight.settings
    bases = {
        "stripe": settings.stripe_api_base,
        "nowpayments": settings.nowpayments_api_base,
        "okx": settings.okx_api_base,
    }
    return {name: base for name, base in bases.items() if name in configured_providers(settings)}


def _provider(sight: Sight, base: str) -> tuple[timedelta, timedelta] | None:
    """By the Date header of any answer, of whole seconds: no key is sent, and what it answers does not matter."""
    import requests

    before = sight.own_clock()
    try:
        told = requests.head(base, timeout=DATE_SECONDS, allow_redirects=False).headers.get("Date")
        theirs = parsedate_to_datetime(told) if told else None
    except (requests.RequestException, ValueError):
        return None
    if theirs is None or theirs.tzinfo is None:
        return None
    skew, unsure = _between(before, sight.own_clock(), theirs)
    return skew, unsure + timedelta(seconds=1)


def _between(before: datetime, after: datetime, theirs: datetime) -> tuple[timedelta, timedelta]:
    """How far we are ahead, and by how much that may be wrong: their answer came from somewhere in between."""
    half = (after - before) / 2
    return before + half - theirs, half
