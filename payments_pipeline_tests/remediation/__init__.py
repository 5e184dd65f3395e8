"""Scenarios of repairs and of the audit trail."""
