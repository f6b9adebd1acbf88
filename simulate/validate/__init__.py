"""The ladder of checks: each rung compares the simulator with something it was not built from, and prints the error."""
