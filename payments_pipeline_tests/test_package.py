"""The installed wheel works without a checkout beside it: SQL, Dagster's configuration and all."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from payments_pipeline_tests.test_demo import CLEAN

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel holds."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel; pip install -e '.[dev]' brings it")
    built, folder = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("installed")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, installed: Path) -> Iterator[Path]:
    yield tmp_path
    run(installed, tmp_path, "db", "stop")


def run(installed: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "payments_pipeline.cli", *words]
    environment = {**CLEAN, "PYTHONPATH": str(installed)}
    return subprocess.run(arguments, cwd=home, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_upgrades_a_database_reconciles_it_and_configures_dagster(installed: Path, home: Path) -> None:
    upgraded = run(installed, home, "db", "upgrade")
    assert "migrated recon" in upgraded.stdout, upgraded.stderr
    assert run(installed, home, "reconcile").returncode == 0
    told = run(installed, home, "env")
    assert told.returncode == 0, told.stderr
    assert "export DAGSTER_POSTGRES_URL='postgresql+psycopg2://" in told.stdout
    assert (home / ".payments" / "dagster" / "dagster.yaml").is_file()
    assert (installed / "payments_pipeline" / "workspace.yaml").is_file()
    begun = run(installed, home, "init")
    assert begun.returncode == 0, begun.stderr
    assert (home / ".env").read_text().startswith("# Copy to .env")
