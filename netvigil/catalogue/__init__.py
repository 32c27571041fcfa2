"""The CVE catalogue: feeds become records, records become the one table that matching reads."""
