"""Takes the pictures of the main pages of Dagster's UI, in a real browser, over a sandbox world that was reconciled.

Belongs here: starting `payments-pipeline dev` in a folder of its own, which pages there are and what each must show,
saving them small. `make screenshots` runs it; a test opens the same pages. It needs the package playwright and a
Chromium or Chrome on this machine; it downloads neither.
"""

from __future__ import annotations

import argparse
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
PATIENCE_SECONDS = 900.0
PAGE_MILLISECONDS = 60_000
STILL_MILLISECONDS = 4000  # graphs move into place, states come after names
WANTED = {"nightly_reconciliation", "repair_findings"}  # runs that find also tell: delivery may have nothing left
RUNS = "{ runsOrError { ... on Runs { results { runId jobName status } } } }"


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


def scrolled(words: str) -> Callable[[Any], None]:
    """Brings the line with these words into view."""
    return lambda page: page.get_by_text(words).first.scroll_into_view_if_needed()


def in_the_config(page: Any) -> None:
    """Puts the cursor into the op's config: the fields are explained beside it."""
    page.locator(".CodeMirror-line", has_text="dry_run").first.click()
    page.get_by_text("say what would change").first.wait_for()


def with_switches(page: Any) -> None:
    """Waits until it is known of each line whether it is on."""
    page.locator("[class*=formatSwitch]").nth(10).wait_for()


def with_log(page: Any) -> None:
    """Waits until the run's events are there."""
    page.get_by_text("Loading run logs").first.wait_for(state="hidden")


PICTURES = (
    Picture("asset_graph", "/asset-groups", ("providers", "canonical", "reports", "findings")),
    Picture("report_asset", "/assets/stuck_authorizations?view=overview", ("What to do", "Postgres", "by_severity")),
    Picture(
        "report_metadata", "/assets/stuck_authorizations?view=overview", ("amount_at_risk",), scrolled("chart_of_last")
    ),
    Picture("findings_chart", "/assets/findings?view=overview", ("open_over_time",), scrolled("open_over_time")),
    Picture("checks", "/assets/stripe_refunds?view=checks", ("read_in_full", "no_duplicates")),
    Picture("launchpad", "/locations/payments_pipeline/jobs/capture_payment/playground", ("Launch",), in_the_config),
    Picture("automation", "/automation", ("activation_probe", "night_over"), with_switches),
    Picture("run", "/runs/{nightly}", ("nightly_reconciliation", "Events"), with_log),
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
        page = context.new_page()
        page.set_default_timeout(PAGE_MILLISECONDS)
        yield page
        context.close()
        browser.close()


def visit(page: Any, picture: Picture, nightly: str) -> None:
    """Open the page and wait until it shows what it should."""
    page.set_viewport_size({"width": WIDTH, "height": picture.height})
    page.goto(picture.path.format(nightly=nightly))
    for words in picture.sees:
        page.get_by_text(words, exact=False).first.wait_for()
    if picture.prepare is not None:
        picture.prepare(page)


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
    with tempfile.TemporaryDirectory() as home, socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = int(probe.getsockname()[1])
        probe.close()
        clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "PYTHONPATH"}}
        command = [sys.executable, "-m", "payments_pipeline.cli"]
        environment = {**clean, "PAYMENTS_HOME": home}
        process = subprocess.Popen(  # noqa: S603  (our own interpreter)
            [*command, "dev", "--users", str(users), "--port", str(port)],
            cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield port, _reconciled(port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
            subprocess.run([*command, "db", "stop"], cwd=home, env=environment, check=False, capture_output=True)  # noqa: S603


def _reconciled(port: int) -> str:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        time.sleep(2)
        try:
            runs = ask(port, RUNS)["runsOrError"]["results"]
        except (requests.RequestException, KeyError, ValueError):
            continue
        done = {run["jobName"]: run["runId"] for run in runs if run["status"] == "SUCCESS"}
        if set(done) >= WANTED:
            return str(done["nightly_reconciliation"])
    raise TimeoutError(f"{', '.join(sorted(WANTED))} did not all succeed within {PATIENCE_SECONDS:.0f} seconds.")


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
    with served(asked.users) as (port, nightly), opened(browser, f"http://{LOOPBACK}:{port}") as page:
        for picture in PICTURES:
            if asked.names and picture.name not in asked.names:
                continue
            visit(page, picture, nightly)
            page.wait_for_timeout(STILL_MILLISECONDS)
            file = FOLDER / f"{picture.name}.png"
            file.write_bytes(small(page.screenshot(animations="disabled")))
            console.print(f"{file.name}: {file.stat().st_size // 1024} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
