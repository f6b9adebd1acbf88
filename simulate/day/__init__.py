"""A day of the population as integer operations: what the core asks of the tiers, by kind, shard and minute."""
