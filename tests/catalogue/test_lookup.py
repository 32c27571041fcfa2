"""The short way gives what the long one gives, and knows when it must not be taken."""

import psycopg
import pytest

from netvigil.catalogue import lookup, queries
from netvigil.catalogue.importer import import_starter
from netvigil.db.session import libpq_url

PRODUCTS = {("o", "mikrotik", "routeros"), ("a", "openbsd", "openssh"), ("a", "nobody", "nothing")}


@pytest.fixture
async def connection(database_url, database):
    await import_starter(database.engine)
    with psycopg.connect(libpq_url(database_url)) as connection:
        yield connection


async def test_same_candidates_as_the_long_way(connection, database):
    quick = lookup.find_candidates(connection, PRODUCTS)
    async with database.session() as session:
        slow = await queries.find_candidates(session, PRODUCTS)
    assert len(quick) > 30
    key = lambda one: one.cve_id  # noqa: E731
    assert sorted(quick, key=key) == sorted(slow, key=key)
    assert [one.configurations for one in sorted(quick, key=key)] == [
        one.configurations for one in sorted(slow, key=key)
    ]


async def test_starter_is_counted_until_there_is_more(connection):
    assert lookup.count_starter(connection) > 80
    connection.execute(
        "INSERT INTO feed_import (catalogue_version, source, file_name, digest, records, skipped, held)"
        " VALUES (2, 'nvd', 'x', 'x', 1, 0, 1)"
    )
    assert lookup.count_starter(connection) is None


async def test_other_schema_takes_the_long_way(connection):
    assert lookup.is_current(connection)
    connection.execute("UPDATE alembic_version SET version_num = '0001'")
    assert not lookup.is_current(connection)
    connection.execute("DROP TABLE alembic_version")
    assert not lookup.is_current(connection)
