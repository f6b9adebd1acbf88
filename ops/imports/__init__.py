"""Bringing in what others recorded: follow graphs and interactions, in bulk, restartable, bad lines reported."""
