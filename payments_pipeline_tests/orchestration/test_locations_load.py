"""The code location loads as Dagster's processes load it: a fresh interpreter, no credentials, no network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from payments_pipeline.config import Settings

ROOT = Path(__file__).resolve().parents[2]
SNIPPET = """
import json, socket, sys

def refuse(*_):
    raise AssertionError("definitions touched the network while loading")

socket.socket.connect = refuse
import {module}
loaded = sorted({{"ccxt", "stripe", "pandas", "requests", "discord", *{also}}} & set(sys.modules))
keys = []
if "{module}".endswith("definitions"):
    graph = {module}.defs.resolve_asset_graph()
    keys = sorted(key.to_user_string() for key in graph.get_all_asset_keys())
print(json.dumps({{"loaded": loaded, "keys": keys}}))
"""


def _fresh(module: str, tmp_path: Path, also: tuple[str, ...] = ()) -> dict[str, list[str]]:
    ours = {name.upper() for name in Settings.model_fields} | {"DAGSTER_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    result = subprocess.run(
        [sys.executable, "-c", SNIPPET.format(module=module, also=also)],
        env={**environment, "PYTHONPATH": str(ROOT), "PAYMENTS_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-5000:]
    found: dict[str, list[str]] = json.loads(result.stdout.splitlines()[-1])
    return found


def test_package_import_is_light(tmp_path: Path) -> None:
    assert _fresh("payments_pipeline", tmp_path)["loaded"] == []


def test_a_quick_look_does_not_pay_for_dagster(tmp_path: Path) -> None:
    assert _fresh("payments_pipeline.quick_look, payments_pipeline.export", tmp_path, also=("dagster",))["loaded"] == []


def test_definitions_load_without_network_credentials_heavy_imports_or_a_database(tmp_path: Path) -> None:
    found = _fresh("payments_pipeline.definitions", tmp_path)

    assert found["loaded"] == []
    assert not list(tmp_path.iterdir()), "loading wrote to PAYMENTS_HOME"
    for key in ("stripe_payment_intents", "provider_transactions", "activation_gaps", "app_users", "findings"):
        assert key in found["keys"]


def test_workspace_names_a_module_that_exists() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))

    (entry,) = workspace["load_from"]
    module = entry["python_module"]["module_name"]
    assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()
