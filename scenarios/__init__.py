"""Scenarios: TOML files, the table of what may stand in them, and their loader."""
