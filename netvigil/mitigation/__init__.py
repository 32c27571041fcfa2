"""What to do about a CVE: its facts, this organisation's devices that have it, upgrades and work-arounds, as Markdown."""
