"""Runs 0015_seen_bytes.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0015"
down_revision = "0012"


def upgrade() -> None:
    run_revision(__file__)
