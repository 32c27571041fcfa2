"""Feeds: one module for each source of CVE data; files are known by their content, never by their name."""
