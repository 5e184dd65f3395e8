"""Runs 0006_confirmations.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_revision(__file__)
