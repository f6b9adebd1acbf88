"""Queues: every shard of every tier, carried from window to window.

`advance(load, state, feedback)` takes integer counts and answers what waiting they cause; it never counts operations itself
(that is the day's) and never knows a duration that `work.py` does not give.
"""
