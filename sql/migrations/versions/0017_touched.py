"""Runs 0017_touched.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_revision(__file__)
