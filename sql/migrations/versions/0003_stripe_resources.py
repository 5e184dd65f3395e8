"""Runs 0003_stripe_resources.sql."""

from payments_pipeline.db.migrate import run_revision

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_revision(__file__)
