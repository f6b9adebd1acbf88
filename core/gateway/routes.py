"""The route table: everything that is served, in one tuple."""

from __future__ import annotations

from . import routes_accounts, routes_operators, routes_social, routes_timelines, routes_tweets
from .route import Route

ROUTES: tuple[Route, ...] = (
    *routes_timelines.ROUTES,
    *routes_tweets.ROUTES,
    *routes_accounts.ROUTES,
    *routes_social.ROUTES,
    *routes_operators.ROUTES,
)
