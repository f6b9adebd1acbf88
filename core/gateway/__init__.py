"""The HTTP door: routes, auth, limits, OpenAPI, metrics."""
