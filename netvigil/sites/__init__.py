"""Sites: places that may be scanned, and the rules for which addresses."""
