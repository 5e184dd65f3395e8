"""Repairs: plan, approve, apply, verify. No Dagster import from here down."""
