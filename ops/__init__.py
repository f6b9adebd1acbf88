"""Procedures for people on call: plan, then apply. No click, no rich."""
