"""The HTTP door: one route table, one path for auth, limits and errors, two ways in (a raw front and Litestar).

It speaks to the service only through `Twit`. It never decides who may see what: that is the core's.
"""
