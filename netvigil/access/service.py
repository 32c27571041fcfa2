"""Organisations: the owners behind the tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from netvigil.access.models import Organisation

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession


async def get_organisation_id(session: AsyncSession, key: str) -> UUID:
    """The id of the organisation with this `org_id` claim; a valid token's organisation is made on first use."""
    found = await session.scalar(select(Organisation.id).where(Organisation.key == key))
    if found is not None:
        return found
    await session.execute(insert(Organisation).values(key=key).on_conflict_do_nothing())
    return (await session.scalars(select(Organisation.id).where(Organisation.key == key))).one()
