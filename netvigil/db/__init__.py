"""The database: embedded or external PostgreSQL, sessions and migrations."""
