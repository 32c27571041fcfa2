"""Migrations: what they make is what the models say, and they are harmless when repeated."""

import importlib
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine

import netvigil
from netvigil.db.base import Base
from netvigil.db.migrate import migrate
from netvigil.db.session import libpq_url, sqlalchemy_url
from netvigil.errors import DatabaseFault
from netvigil.jobs import apply_schema


def test_migrated_database_is_what_the_models_say(database_url):
    for path in Path(netvigil.__file__).parent.glob("*/models.py"):
        importlib.import_module(f"netvigil.{path.parent.name}.models")
    engine = create_engine(sqlalchemy_url(database_url), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        difference = compare_metadata(context, Base.metadata)
    ours = [d for d in difference if "procrastinate" not in str(d) and "job_schema_step" not in str(d)]
    assert ours == []


async def test_again_changes_nothing(database_url):
    applied = []

    async def then(connection):
        applied.extend(await apply_schema(connection))

    await migrate(database_url, then=then)
    await migrate(database_url, then=then)
    assert applied == []


async def test_step_that_the_database_lacks_is_applied(database_url):
    """An upgrade of the library brings a step that this database has not."""
    with psycopg.connect(libpq_url(database_url), autocommit=True) as connection:
        connection.execute("DROP FUNCTION procrastinate_trigger_function_status_events_update_v1 CASCADE")
        connection.execute("DELETE FROM job_schema_step WHERE name LIKE '03.04.00_50%'")
    applied = []

    async def then(connection):
        applied.extend(await apply_schema(connection))

    await migrate(database_url, then=then)
    assert applied == ["03.04.00_50_post_add_retry_failed_job_procedure.sql"]
    with psycopg.connect(libpq_url(database_url)) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_proc WHERE proname = 'procrastinate_trigger_function_status_events_update_v1'"
        )
        assert found.fetchone() == (1,)


async def test_newer_database_is_refused(database_url):
    with psycopg.connect(libpq_url(database_url), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseFault, match="newer netvigil"):
        await migrate(database_url)


async def test_unreachable_database_is_one_sentence():
    with pytest.raises(DatabaseFault, match="cannot be reached"):
        await migrate("postgresql://nobody@127.0.0.1:9/none")
