"""Runs 0015_repairs_at_work.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_revision(__file__)
