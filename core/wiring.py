"""Builds the service from the stores and the inputs it is handed: the one place where the core's parts meet."""

from __future__ import annotations

from .accounts import AccountCommands
from .caches import Caches
from .clock import Clock
from .entropy import Chance, Entropy
from .ids import TweetIds
from .limits import Limits
from .offload import Offload
from .ports import Stores
from .rebuild import Truth
from .service import Twit
from .social import SocialCommands
from .threads import Threads
from .timelines import HomeTimelines
from .tweets import TweetCommands
from .views import Views
from .workers import Workers


async def build(
    stores: Stores,
    *,
    limits: Limits,
    clock: Clock,
    chance: Chance,
    entropy: Entropy,
    offload: Offload,
    name: str = "twit",
) -> Twit:
    """Return the service over these stores. Takes a node id of tweet ids, held as long as the process lives.

    `name` says in leases who holds them. Raises `StoreError`.
    """
    node, _ = await stores.leases.node(name)
    caches = Caches(stores, limits, clock)
    views = Views(stores, caches, limits)
    truth = Truth(stores, limits, caches)
    return Twit(
        limits=limits,
        stores=stores,
        caches=caches,
        accounts=AccountCommands(stores, caches, limits, clock, entropy, offload),
        social=SocialCommands(stores, caches, limits, clock),
        tweets=TweetCommands(stores, caches, limits, clock, TweetIds(clock, node)),
        threads=Threads(stores, caches, views, limits),
        timelines=HomeTimelines(stores, caches, limits, clock, chance, truth),
        views=views,
        workers=Workers(stores, limits, clock, chance, caches, name),
        truth=truth,
    )
