"""Schedules: when what is scanned."""
