"""Scenarios of the outbox and of Discord."""
