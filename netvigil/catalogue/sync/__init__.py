"""Fetches the feeds from their owners: what changed, politely, and imported only when it is whole."""
