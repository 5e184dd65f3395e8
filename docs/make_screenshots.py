"""Takes the pictures of the main pages of Dagster's UI, in a real browser, over a sandbox world that was reconciled.

Belongs here: starting `payments-pipeline dev` in a folder of its own, which pages there are and what each must show,
saving them small. `make screenshots` runs it; a test opens the same pages. It needs the package playwright and a
Chromium or Chrome on this machine; it downloads neither.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from rich.console import Console

FOLDER = Path(__file__).parent / "pictures"
LOOPBACK = "127.0.0.1"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {LOOPBACK}",
]  # fmt: skip
WIDTH, HEIGHT = 1400, 900
COLOURS = 192
PATIENCE_SECONDS = 1800.0
STOP_SECONDS = 120.0
PAGE_MILLISECONDS = 60_000
LOADS = 3  # a busy machine answers late: a page that does not come is asked for again
SETTLE_MILLISECONDS = 30_000
STILL_MILLISECONDS = 3000  # graphs move into place
# What turns or shimmers while a part of a page loads. A run in progress turns, too: this wait may end in vain.
LOADED = "() => !document.querySelector('[class*=Spinner_spinner], [class*=himmer], [class*=keleton]')"
FOLDED = "localStorage.setItem('dagster-nav-collapsed', 'true')"  # the navigation: room for the page itself
LAST_LINES = 15
QUIET_SECONDS = 180.0
WANTED = {"nightly_reconciliation", "repair_findings"}  # runs that find also tell: delivery may have nothing left
RUNS = "{ runsOrError { ... on Runs { results { runId jobName status } } } }"
UNDER_WAY = {"QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"}


@dataclass(frozen=True)
class Picture:
    """A page of the UI.

    Attributes:
        name: of the PNG, without its ending.
        path: below the UI's address; ``{nightly}`` is the id of the nightly run.
        sees: words that must be there before the picture is taken.
        prepare: what to do on the page first.
    """

    name: str
    path: str
    sees: tuple[str, ...]
    prepare: Callable[[Any], None] | None = None
    height: int = HEIGHT


class PageNotReadyError(Exception):
    """A page did not show what it should; says which, and what was missing."""


class NotServedError(Exception):
    """`payments-pipeline dev` ended, or its runs did not; says what it wrote last."""


def scrolled(words: str) -> Callable[[Any], None]:
    """Brings the line of the table of metadata with these words to the top."""
    return lambda page: page.get_by_text(words).first.evaluate("one => one.closest('tr').scrollIntoView()")


def in_the_config(page: Any) -> None:
    """Puts the cursor into the op's config: the fields are explained beside it."""
    page.locator(".CodeMirror-line", has_text="dry_run").first.click()
    page.get_by_text("say what would change").first.wait_for()


def as_waterfall(page: Any) -> None:
    """Shows the run's steps by name, one below the other, over the whole height."""
    page.get_by_text("Loading run logs").first.wait_for(state="hidden")
    for icon in ("gantt_waterfall", "expand_arrow"):
        page.locator(f"button:has([aria-label^={icon}])").first.click()


PICTURES = (
    Picture("asset_graph", "/asset-groups", ("providers", "canonical", "reports", "findings", "analytics"), height=560),
    Picture("lineage", "/assets/activation_gaps?view=lineage", ("app_users", "stripe_disputes", "deposit_matches")),
    Picture("report_asset", "/assets/stuck_authorizations?view=overview", ("What to do", "Postgres", "by_severity")),
    Picture(
        "report_metadata", "/assets/stuck_authorizations?view=overview", ("amount_at_risk",), scrolled("by_severity")
    ),
    Picture("findings_chart", "/assets/findings?view=overview", ("open_over_time",), scrolled("by_severity")),
    Picture("analytics", "/assets/payment_success?view=overview", ("preview", "chart"), scrolled("preview")),
    Picture("checks", "/assets/stuck_authorizations?view=checks", ("no_rows", "What to do")),
    Picture("launchpad", "/locations/payments_pipeline/jobs/capture_payment/playground", ("Launch",), in_the_config),
    Picture("automation", "/automation", ("activation_probe", "night_over"), height=1200),
    Picture("run", "/runs/{nightly}", ("nightly_reconciliation", "RUN_SUCCESS"), as_waterfall),
)


def found_browser() -> str | None:
    """Path of a browser that is on this machine."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@contextmanager
def opened(browser_path: str, address: str) -> Iterator[Any]:
    """A page of a browser that reaches nothing but this machine, with `address` before each path.

    Raises:
        ImportError: playwright is not installed.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, base_url=address)
        context.add_init_script(FOLDED)
        page = context.new_page()
        page.set_default_timeout(PAGE_MILLISECONDS)
        yield page
        context.close()
        browser.close()


def visit(page: Any, picture: Picture, nightly: str) -> None:
    """Open the page and wait until it shows what it should, also by opening it again.

    Raises:
        PageNotReadyError: it did not.
    """
    from playwright.sync_api import Error

    page.set_viewport_size({"width": WIDTH, "height": picture.height})
    for load in range(1, LOADS + 1):
        missing = "an answer"
        try:
            page.goto(picture.path.format(nightly=nightly), wait_until="domcontentloaded")
            for words in picture.sees:
                missing = repr(words)
                page.get_by_text(words, exact=False).first.wait_for()
            missing = "what is to be done on it first"
            if picture.prepare is not None:
                picture.prepare(page)
        except Error as error:
            if load == LOADS:
                raise PageNotReadyError(
                    f"The page of {picture.name}.png, {picture.path}, did not show {missing} within "
                    f"{PAGE_MILLISECONDS // 1000} seconds, opened {LOADS} times: {error.message.splitlines()[0]}"
                ) from error
        else:
            return


def settle(page: Any) -> None:
    """Wait until nothing loads any more, as far as it ends."""
    from playwright.sync_api import TimeoutError as Late

    page.wait_for_timeout(STILL_MILLISECONDS)
    with contextlib.suppress(Late):
        page.wait_for_function(LOADED, timeout=SETTLE_MILLISECONDS)
    page.wait_for_timeout(STILL_MILLISECONDS)


def ask(port: int, query: str) -> dict[str, Any]:
    """What Dagster's GraphQL answers."""
    answer = requests.post(f"http://{LOOPBACK}:{port}/graphql", json={"query": query}, timeout=10)
    return dict(answer.json()["data"])


@contextmanager
def served(users: int) -> Iterator[tuple[int, str]]:
    """`payments-pipeline dev` over a world that was reconciled, told and repaired; ended with all that it started.

    Yields:
        The UI's port, and the id of the nightly run.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = int(probe.getsockname()[1])
        probe.close()
        clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "PYTHONPATH"}}
        command = [sys.executable, "-m", "payments_pipeline.cli"]
        environment = {**clean, "PAYMENTS_HOME": home}
        log = Path(home) / "console.log"  # dev.log is what `dev` itself writes there
        with log.open("wb") as out:
            process = subprocess.Popen(  # noqa: S603  (our own interpreter)
                [*command, "dev", "--users", str(users), "--port", str(port)],
                cwd=home, env=environment, stdout=out, stderr=out,
            )  # fmt: skip
        try:
            yield port, _reconciled(process, port, log)
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=STOP_SECONDS)
            process.kill()
            subprocess.run([*command, "db", "stop"], cwd=home, env=environment, check=False, capture_output=True)  # noqa: S603


def _reconciled(process: subprocess.Popen[bytes], port: int, log: Path) -> str:
    """Id of the nightly run, as soon as all that was wanted is done and nothing is under way."""
    end = time.monotonic() + PATIENCE_SECONDS
    done: dict[str, str] = {}
    while time.monotonic() < end and process.poll() is None:
        time.sleep(2)
        try:
            runs = ask(port, RUNS)["runsOrError"]["results"]
        except (requests.RequestException, KeyError, ValueError):
            continue
        if not set(done) >= WANTED:
            done = {run["jobName"]: run["runId"] for run in runs if run["status"] == "SUCCESS"}
            quiet = time.monotonic() + QUIET_SECONDS  # sensors may find work for ever: the pictures then show some
        elif time.monotonic() > quiet or not any(run["status"] in UNDER_WAY for run in runs):
            return done["nightly_reconciliation"]
    why = "ended" if process.poll() is not None else f"did not do {', '.join(sorted(WANTED - set(done)))} in time"
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    raise NotServedError("\n".join([f"payments-pipeline dev {why}. It wrote last:", *last]))


def small(png: bytes) -> bytes:
    """The same picture with a palette: a quarter of the bytes, and text stays sharp."""
    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True
    )
    return out.getvalue()


def main() -> int:
    """Take all pictures, or those that are named."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("names", nargs="*", help="only these, e.g. launchpad")
    words.add_argument("--users", type=int, default=500, help="size of the world")
    asked, console = words.parse_args(), Console()
    browser = found_browser()
    if browser is None:
        console.print(f"There is no browser: none of {', '.join(BROWSERS)} is on the PATH. Install one, e.g. chromium.")
        return 2
    FOLDER.mkdir(exist_ok=True)
    try:
        _take(browser, asked.users, asked.names, console)
    except (PageNotReadyError, NotServedError) as error:
        console.print(str(error), markup=False, soft_wrap=True)
        return 2
    return 0


def _take(browser: str, users: int, names: list[str], console: Console) -> None:
    with served(users) as (port, nightly), opened(browser, f"http://{LOOPBACK}:{port}") as page:
        for picture in PICTURES:
            if names and picture.name not in names:
                continue
            visit(page, picture, nightly)
            settle(page)
            file = FOLDER / f"{picture.name}.png"
            file.write_bytes(small(page.screenshot(animations="disabled")))
            console.print(f"{file.name}: {file.stat().st_size // 1024} KB")


if __name__ == "__main__":
    sys.exit(main())
