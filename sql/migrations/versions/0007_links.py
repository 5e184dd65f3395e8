"""Runs 0007_links.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_revision(__file__)
