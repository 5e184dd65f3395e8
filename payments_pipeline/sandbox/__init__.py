"""Simulated providers over real HTTP on loopback, and a deterministic world with known truth."""
