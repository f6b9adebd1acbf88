"""twit: operations and simulation toolkit for a Twitter-scale social feed."""

__version__ = "0.1.0"
