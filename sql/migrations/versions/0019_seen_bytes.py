"""Runs 0019_seen_bytes.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    run_revision(__file__)
