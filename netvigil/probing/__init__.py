"""Probing: find hosts, open ports and what speaks on them, with harmless requests only."""
