"""How long a sensor's tick takes on a large database: each must stay under 50 ms, because they come every few seconds.

The rows of million.py, a long history of findings and messages, and every sensor evaluated as the daemon does. A
measure's `ours` is the 95th percentile of what our queries take, `peer` the 50 ms that were asked for; what Dagster
adds to evaluate a sensor, whatever it does, stands in the notes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import harness
import million
from pydantic import SecretStr
from sqlalchemy import Engine, event, text

from payments_pipeline.config import load_settings
from payments_pipeline.db import embedded
from payments_pipeline.db.engine import engine_for
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.reports import load_reports
from payments_pipeline.resources import default_resources
from payments_pipeline.sensors import all_sensors

ASKED = 0.05  # seconds
TICKS = 60
HISTORY = """
    INSERT INTO recon.findings (
        report, fingerprint, episode, status, severity, action, evidence, found_evidence, user_ref, opened_at,
        last_seen_at, resolved_at, times_seen
    )
    SELECT
        'activation_gaps', 'f' || n, 1, CASE WHEN n % 100 = 0 THEN 'open' ELSE 'resolved' END, 'HIGH',
        'capture_payment', '{}', '{}', CAST(n AS text), CAST(:at AS timestamptz) - n * INTERVAL '1 minute', :at,
        CASE WHEN n % 100 <> 0 THEN CAST(:at AS timestamptz) END, 1
    FROM generate_series(1, :most) AS n
"""
TOLD = """
    INSERT INTO recon.notifications (dedupe_key, channel, kind, severity, body, state, next_attempt_at, created_at)
    SELECT 'n' || n, 'discord', 'opened', 'HIGH', '{}', CASE WHEN n % 50 = 0 THEN 'pending' ELSE 'sent' END, :at, :at
    FROM generate_series(1, :most) AS n
"""


def prepared(home: Path, scale: float) -> tuple[Engine, str]:
    url = embedded.server_url(home, "ticks").render_as_string(hide_password=False)
    engine = engine_for(url)
    upgrade(engine)
    million.fill(engine, int(million.USERS * scale))
    rows = {"at": million.AS_OF, "most": int(100_000 * max(scale, 0.1))}
    with engine.begin() as connection:
        connection.execute(text(HISTORY), rows)
        connection.execute(text(TOLD), rows)
    million.vacuum(engine)
    return engine, url


class Stopwatch:
    """Seconds spent in our queries, since it was last read."""

    def __init__(self) -> None:
        self._begun = self._spent = 0.0
        event.listen(Engine, "before_cursor_execute", self._begin)
        event.listen(Engine, "after_cursor_execute", self._end)

    def _begin(self, *_: Any) -> None:
        self._begun = time.perf_counter()

    def _end(self, connection: Any, *_: Any) -> None:
        if connection.dialect.name == "postgresql":  # Dagster's own storage is another here
            self._spent += time.perf_counter() - self._begun

    def read(self) -> float:
        spent, self._spent = self._spent, 0.0
        return spent


def ticks(
    sensor: dg.SensorDefinition, settings: Any, instance: dg.DagsterInstance, watch: Stopwatch
) -> tuple[list[float], list[float]]:
    """Seconds in our queries and in all, of each tick but the first; time goes on by five seconds a tick, sorted."""
    seconds, queries, cursor = [], [], None
    for number in range(TICKS + 5):
        now = million.AS_OF + timedelta(seconds=5 * number)
        with dg.build_sensor_context(
            instance=instance, resources=default_resources(settings, now), cursor=cursor
        ) as context:
            answer: Any = None

            def tick(context: dg.SensorEvaluationContext = context) -> None:
                nonlocal answer
                answer = sensor.evaluate_tick(context)

            watch.read()
            seconds.append(harness.timed(tick))
            queries.append(watch.read())
            cursor = answer.cursor
    return sorted(queries[5:]), sorted(seconds[5:])


def main() -> None:
    """Every sensor but the one on failed runs, which Dagster's own storage answers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0, help="1: three million payments")
    scale = parser.parse_args().scale
    home = Path(tempfile.mkdtemp(prefix="bench_ticks_"))
    engine, url = prepared(home, scale)
    settings = load_settings(
        _env_file=None,
        database_url=url,
        nowpayments_api_key=SecretStr("none"),
        okx_api_key=SecretStr("none"),
        discord_webhook_url=SecretStr("https://example.com/api/webhooks/1/token"),
    )
    measures, medians, wholes, watch = [], {}, {}, Stopwatch()
    try:
        with dg.DagsterInstance.local_temp(str(home)) as instance:
            for sensor in all_sensors(load_reports()):
                if isinstance(sensor, dg.RunStatusSensorDefinition):
                    continue
                found, whole = ticks(sensor, settings, instance, watch)
                medians[sensor.name] = round(found[len(found) // 2], 5)
                wholes[sensor.name] = round(whole[len(whole) // 2], 5)
                slow = max(found[int(len(found) * 0.95)], 0.0001)  # not all ask our database
                measures.append(
                    harness.measure(
                        sensor.name, slow, ASKED, target=1.0, what="a tick's queries, 95th percentile against 50 ms"
                    )
                )
        with engine.connect() as connection:
            payments = connection.execute(text("SELECT count(*) FROM recon.app_payments")).scalar_one()
    finally:
        engine.dispose()
        embedded.stop(home)
    notes = {
        "median_seconds": medians,
        "median_seconds_with_dagster": wholes,
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
    }
    harness.write("ticks", measures, ("dagster", "sqlalchemy", "psycopg"), {"payments": payments}, notes)


if __name__ == "__main__":
    main()
