"""A database whose clock can be set: its `now()` and `clock_timestamp()` stand before PostgreSQL's own."""

from datetime import UTC, datetime

import psycopg

SQL = """
CREATE SCHEMA settable;
CREATE TABLE settable.clock (ahead interval NOT NULL);
INSERT INTO settable.clock VALUES ('0');
CREATE FUNCTION settable.now() RETURNS timestamptz STABLE LANGUAGE sql
  AS 'SELECT pg_catalog.now() + (SELECT ahead FROM settable.clock)';
CREATE FUNCTION settable.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
  AS 'SELECT pg_catalog.clock_timestamp() + (SELECT ahead FROM settable.clock)';
DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I SET search_path = settable, public, pg_catalog', current_database());
END $$;
"""


class Clock:
    """The clock of one database; connections that were made before it was built keep the real one."""

    def __init__(self, url):
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute(SQL)

    def set(self, moment):
        """Let the database believe that it is this moment; its clock goes on from there."""
        ahead = moment - datetime.now(UTC)
        self.connection.execute("UPDATE settable.clock SET ahead = %s", (ahead,))

    def now(self):
        """The moment that the database believes in."""
        [moment] = self.connection.execute("SELECT settable.clock_timestamp()").fetchone()
        return moment.astimezone(UTC)

    def close(self):
        self.connection.close()
