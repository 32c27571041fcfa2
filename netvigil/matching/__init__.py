"""Matching: which CVEs a host's products really have; pure, so every answer can be repeated."""
