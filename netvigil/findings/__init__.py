"""Findings: which CVEs were found on which hosts, and the proof."""
