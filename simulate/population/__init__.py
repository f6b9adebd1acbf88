"""A population of up to two billion users as a function of a seed: nothing is stored per user."""
