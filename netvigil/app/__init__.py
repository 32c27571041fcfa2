"""The HTTP service: routers, error answers, documents about itself, and its life cycle."""

from netvigil.app.factory import create_app

__all__ = ["create_app"]
