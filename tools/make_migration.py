"""Write the next migration from what the models say and a migrated database has: make_migration.py URL "message"."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

import netvigil
from netvigil.db.migrate import alembic_config
from netvigil.db.session import sqlalchemy_url

PACKAGE = Path(netvigil.__file__).parent


def main() -> None:
    """Import every table, compare, write; read the result before committing it."""
    for path in sorted(PACKAGE.glob("*/models.py")):
        importlib.import_module(f"netvigil.{path.parent.name}.models")
    existing = len(list((PACKAGE / "db" / "migrations" / "versions").glob("*.py")))
    config = alembic_config()
    engine = create_engine(sqlalchemy_url(sys.argv[1]))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        command.revision(config, sys.argv[2], autogenerate=True, rev_id=f"{existing + 1:04}")


if __name__ == "__main__":
    main()
