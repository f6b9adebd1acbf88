"""The embedded world: SQLite and memory-mapped timelines in one folder, no servers."""
