"""Workers that are processes and die of SIGKILL, for the soak: one parent that has imported everything forks them.

Belongs here: starting, killing, waiting. Does not belong here: what is asserted. Run as a module it is the parent: one
line of JSON in for each worker, one line out when that worker has ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from payments_pipeline.config import Settings


@dataclass
class Nursery:
    """One worker at a time; several nurseries for several at once."""

    settings: Settings
    _process: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Self:
        url = self.settings.database_url.get_secret_value() if self.settings.database_url else ""
        key = self.settings.stripe_api_key.get_secret_value() if self.settings.stripe_api_key else ""
        told = {
            "database_url": url, "stripe_api_key": key, "stripe_api_base": self.settings.stripe_api_base,
            "http_timeout_seconds": self.settings.http_timeout_seconds, "http_max_attempts": 1,
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", "payments_pipeline_tests.remediation.nursery", json.dumps(told)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def work(self, action: int, *, kill_at: str = "", kill_after: float | None = None) -> str:
        """Have a process apply an action; it is killed when it has come to a step, or after so many seconds.

        Returns:
            ``killed``, or ``ended``.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"action": action, "kill_at": kill_at, "kill_after": kill_after}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


def _parent(told: dict[str, Any]) -> None:
    from payments_pipeline.config import load_settings
    from payments_pipeline.providers import stripe, stripe_writes  # noqa: F401  (imported before the fork)
    from payments_pipeline.remediation import actions  # noqa: F401

    settings = load_settings(_env_file=None, **told)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _child(settings, order)
        if order["kill_after"] is not None:
            time.sleep(order["kill_after"])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(("killed" if os.WIFSIGNALED(status) else "ended") + "\n")
        sys.stdout.flush()


def _child(settings: Settings, order: dict[str, Any]) -> None:
    from payments_pipeline.db.engine import engine_for
    from payments_pipeline.errors import PaymentsPipelineError
    from payments_pipeline.providers.desk import Desk
    from payments_pipeline.remediation.actions import apply
    from payments_pipeline_tests.conftest import AS_OF

    def step(name: str) -> None:
        if name == order["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)

    assert settings.database_url is not None
    engine = engine_for(settings.database_url.get_secret_value())
    try:
        apply(
            engine, order["action"], actor="worker", as_of=AS_OF, dry_run=False,
            desk=Desk(settings, lambda: AS_OF), step=step,
        )  # fmt: skip
    except PaymentsPipelineError:
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    _parent(json.loads(sys.argv[1]))
