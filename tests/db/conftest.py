"""Databases of before."""

from uuid import uuid4

import psycopg
import pytest
from alembic import command
from psycopg import sql
from sqlalchemy import NullPool, create_engine

from netvigil.db.endpoint import SUPERUSER
from netvigil.db.migrate import alembic_config
from netvigil.db.session import libpq_url, sqlalchemy_url


@pytest.fixture
def old_url(server_url, request):
    """A database at its test module's REVISION that holds what the module's ROWS insert."""
    name = f"old_{uuid4().hex[:12]}"
    other = server_url.replace("netvigil@/netvigil?", f"{SUPERUSER}@/postgres?")
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER netvigil").format(sql.Identifier(name)))
    url = server_url.replace("/netvigil?", f"/{name}?")
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, request.module.REVISION)
    with psycopg.connect(libpq_url(url)) as connection:
        connection.execute(request.module.ROWS)
    yield url
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
