"""Dagster assets, thin: read, decide elsewhere, write by SQL, return metadata. No business rule belongs here."""
