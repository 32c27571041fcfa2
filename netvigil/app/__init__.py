"""The HTTP service: routers, error answers, documents about itself, and its life cycle."""
