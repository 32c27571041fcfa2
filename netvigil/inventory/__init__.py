"""Inventory: hosts and services as each scan saw them, and what names a device."""
