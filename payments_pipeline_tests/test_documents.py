"""Documents that must not drift: pages made from the code, and the tutorial, which is followed word by word."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from payments_pipeline_tests.conftest import SERVER
from payments_pipeline_tests.test_demo import CLEAN

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(
    r"`(?P<file>(?:sql|payments_pipeline_tests)/[\w/]+\.(?:sql|py))`.*?```(?:sql|python)\n(?P<text>.*?)```", re.DOTALL
)
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def test_pages_made_from_the_code_say_what_it_says_now() -> None:
    found = spec_from_file_location("make_pages", DOCS / "make_pages.py")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    stale = [name for name, text in module.pages().items() if (DOCS / name).read_text(encoding="utf-8") != text]
    assert not stale, f"{', '.join(stale)} are stale: make docs"


@pytest.mark.parametrize("page", [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"], ids=lambda page: page.name)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    links = [(page.parent / file if file else page, part) for file, part in LINK.findall(page.read_text("utf-8"))]
    assert [str(file) for file, _ in links if not file.exists()] == []
    assert [f"{file.name}#{part}" for file, part in links if part and part not in places(file)] == []


def places(page: Path) -> set[str]:
    """What a link may name within a page, as GitHub derives it from headings."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.usefixtures("server")
def test_the_tutorial_gives_a_report_that_runs_and_a_test_that_passes(tmp_path: Path, server_home: Path) -> None:
    for part in ("payments_pipeline", "payments_pipeline_tests", "sql", "docs", "benchmarks"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "pictures"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    blocks = BLOCK.findall((DOCS / "writing_a_report.md").read_text(encoding="utf-8"))
    assert [Path(file).suffix for file, _ in blocks] == [".sql", ".py"]
    for file, text in blocks:
        (tmp_path / file).write_text(text, encoding="utf-8")
    words = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-o", "addopts=", "-q", blocks[1][0]]
    environment = {**CLEAN, "PYTHONPATH": str(tmp_path), SERVER: str(server_home)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
