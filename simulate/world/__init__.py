"""The `world` context: the ports over a computed population, with what is added lying in an embedded overlay."""
