"""Brings up Dagster's UI and daemon on this machine: storage, environment, and a sandbox world where wanted.

Belongs here: starting processes and pointing them at each other. Does not belong here: what they then do.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil
import requests
from rich.console import Console
from sqlalchemy import URL

from payments_pipeline.config import Settings
from payments_pipeline.db import embedded
from payments_pipeline.db.engine import dagster_storage_url, driver_connection, engine_for, get_engine
from payments_pipeline.db.migrate import upgrade
from payments_pipeline.dev_log import NAME as LOG
from payments_pipeline.dev_log import relay
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.sandbox.state import SandboxState

LOOPBACK = "127.0.0.1"  # Dagster's UI has no log-in: it never listens elsewhere by our doing
UI_UP_SECONDS = 120
STOP_SECONDS = 20
NIGHTLY = "nightly_reconciliation"  # whoever imports it from where it runs waits for all definitions first
# In the command line of runs, and of what they are forked from, which ignores the signal.
RUN = "multiprocessing.forkserver"
PACKAGE = Path(__file__).resolve().parent


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Variables that dagster-webserver, dagster-daemon and runs need to find storage and the database.

    Creates Dagster's home (a copy of dagster.yaml under PAYMENTS_HOME) unless DAGSTER_HOME names one already.

    Raises:
        ConfigurationError: dagster.yaml is missing.
    """
    return {
        "DAGSTER_HOME": os.environ.get("DAGSTER_HOME") or str(_dagster_home(settings.payments_home)),
        "DAGSTER_POSTGRES_URL": os.environ.get("DAGSTER_POSTGRES_URL") or _shown(dagster_storage_url(settings)),
        "PAYMENTS_HOME": str(settings.payments_home.resolve()),
    }


def run_dev(
    settings: Settings, *, port: int, users: int, seed: int, real: bool, now: datetime, verbose: bool = False
) -> int:
    """Serve until interrupted.

    Args:
        port: of the UI, on loopback.
        users, seed, now: the sandbox world; unused with `real`.
        real: use the providers and the database of the environment.
        verbose: show all that Dagster logs, and not only where runs begin and end, warnings and errors.

    Returns:
        The exit code of `dagster dev`.

    Raises:
        ConfigurationError: the port is taken.
    """
    _require_free(port)
    log = settings.payments_home.resolve() / LOG
    if real:
        upgrade(get_engine(settings), settings.contract_dir)
        return _serve(dagster_environment(settings), port, log, verbose=verbose)
    console = Console()
    with sandbox_world(settings.payments_home, "sandbox", users=users, seed=seed, as_of=now) as environment:
        console.print(f"A sandbox world of {users} users (seed {seed}) is served on loopback.")
        first_look = threading.Thread(target=_reconcile_once_up, args=(port,), daemon=True)
        first_look.start()
        return _serve({**dagster_environment(settings), **environment}, port, log, verbose=verbose)


@contextmanager
def sandbox_world(home: Path, database: str, *, users: int, seed: int, as_of: datetime) -> Iterator[dict[str, str]]:
    """A fresh world: its application rows in `database` (dropped first) of the embedded server, its providers served.

    Yields:
        The environment that points the pipeline at it.
    """
    from payments_pipeline.sandbox.server import Sandbox
    from payments_pipeline.sandbox.world import build_world, write_application

    url = embedded.fresh_database(embedded.server_url(home), database)
    engine = engine_for(_shown(url))
    upgrade(engine)
    world = build_world(seed, users, as_of)
    with engine.begin() as connection:
        write_application(driver_connection(connection), world)
    with Sandbox(world.state) as sandbox:
        # Run history of its own: run keys of an earlier world must not silence this one's.
        history = embedded.fresh_database(url, f"dagster_{database}").set(drivername="postgresql+psycopg2")
        told = threading.Thread(target=_show_discord, args=(world.state, Console()), daemon=True)
        told.start()
        yield {
            **sandbox.environment(),
            "DATABASE_URL": _shown(url),
            "DAGSTER_POSTGRES_URL": _shown(history),
        }


def _serve(environment: dict[str, str], port: int, log: Path, *, verbose: bool) -> int:
    console = Console()
    console.print(f"Dagster's UI: http://{LOOPBACK}:{port} (Ctrl-C stops everything but the database).")
    console.print(f"Its whole log: {log}", soft_wrap=True, highlight=False)
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(_shipped("workspace.yaml"))]
    arguments = [*command, "-h", LOOPBACK, "-p", str(port)]
    process = subprocess.Popen(  # noqa: S603  (our own interpreter)
        arguments, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None  # noqa: S101  (asked for)
    shown = threading.Thread(
        target=relay, args=(process.stdout, log, console), kwargs={"verbose": verbose}, daemon=True
    )
    shown.start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a supervisor's stop is a Ctrl-C
    try:
        code = process.wait()
    except KeyboardInterrupt:
        return _end(process)
    if code:
        shown.join(STOP_SECONDS)
        console.print(f"Dagster ended with {code}. What to do: read the end of {log}", soft_wrap=True, highlight=False)
    return code


def _end(process: subprocess.Popen[bytes]) -> int:
    """Stop `dagster dev` and all it started, also what it starts meanwhile: by asking, then by force."""
    family = {psutil.Process(process.pid)}
    process.send_signal(signal.SIGINT)  # not SIGTERM: dagster dev then ends its own children
    end = time.monotonic() + STOP_SECONDS
    while family and time.monotonic() < end:
        for one in _children(family):
            family.add(one)
            with contextlib.suppress(psutil.Error):
                if RUN in " ".join(one.cmdline()):
                    one.send_signal(signal.SIGINT)  # else the daemon would wait for its runs
        process.poll()  # else it would stay as a zombie
        family = set(psutil.wait_procs(family, timeout=0.2)[1])
    for one in family | _children(family):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    return process.wait()


def _children(family: set[psutil.Process]) -> set[psutil.Process]:
    """Those of the family that are not known yet."""
    found: set[psutil.Process] = set()
    for one in family:
        with contextlib.suppress(psutil.Error):
            found.update(one.children(recursive=True))
    return found - family


def _show_discord(state: SandboxState, console: Console) -> None:
    """Tell on the console what the simulated Discord channel receives: nobody can open it in a browser."""
    shown: set[str] = set()
    while True:
        time.sleep(1)
        with state.lock:
            messages = {key: message for key, message in state.discord.messages.items() if key not in shown}
        shown |= set(messages)
        for message in messages.values():
            for embed in message.get("embeds", []):
                console.print(f"Discord: {embed.get('title', '')}", markup=False)


def _reconcile_once_up(port: int) -> None:
    """Launch the first reconciliation as soon as the UI answers, so that a newcomer opens a graph with rows in it."""
    from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

    for _ in range(UI_UP_SECONDS):
        time.sleep(1)
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1):
                client = DagsterGraphQLClient(LOOPBACK, port_number=port)
                client.submit_job_execution(NIGHTLY)
                return
        except (OSError, DagsterGraphQLClientError, requests.RequestException):
            continue


def _dagster_home(payments_home: Path) -> Path:
    home = payments_home.resolve() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_shipped("dagster.yaml"), home / "dagster.yaml")
    return home


def _shipped(name: str) -> Path:
    """A file of Dagster's configuration, as the package holds it (in a checkout: a link to the top level)."""
    path = PACKAGE / name
    if not path.is_file():
        raise ConfigurationError(f"{name} is missing.", where=str(PACKAGE), remedy="Reinstall payments-pipeline.")
    return path


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((LOOPBACK, port)) == 0:
            raise ConfigurationError(
                f"Port {port} is taken.", where=LOOPBACK, remedy="Stop what listens there, or choose another: --port."
            )


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)
