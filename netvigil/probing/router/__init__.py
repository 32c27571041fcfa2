"""Reading the site's own router, with read-only credentials, to know the hosts beyond it."""
