"""notifications"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

NEW_ID = sa.text("gen_random_uuid()")
AT = sa.DateTime(timezone=True)


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), nullable=False, server_default=NEW_ID)


def _group() -> sa.Column[object]:
    return sa.Column("group_id", sa.Uuid(), nullable=False)


def _belongs(table: str, column: str, to: str, *, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{to}.id"], name=f"fk_{table}_{column}_{to}", ondelete=ondelete
    )


def _groups() -> None:
    op.create_table(
        "notification_group",
        _id(),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sites", postgresql.JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")),
        sa.Column("min_severity", sa.String(), nullable=False),
        sa.Column("kev_always", sa.Boolean(), nullable=False),
        sa.Column("only_news", sa.Boolean(), nullable=False),
        sa.Column("mute", sa.Boolean(), nullable=False),
        sa.Column("mute_until", AT, nullable=True),
        sa.Column("webhook_secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", AT, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("updated_at", AT, nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("id", name="pk_notification_group"),
        sa.UniqueConstraint("organisation_id", "key", name="uq_notification_group_organisation_id_key"),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name="fk_notification_group_organisation_id_organisation",
        ),
    )
    op.create_table(
        "notification_channel",
        _id(),
        _group(),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notification_channel"),
        _belongs("notification_channel", "group_id", "notification_group"),
    )
    op.create_index("ix_notification_channel_group", "notification_channel", ["group_id"])


def _outbox() -> None:
    op.create_table(
        "notification_message",
        _id(),
        _group(),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", AT, nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("id", name="pk_notification_message"),
        sa.UniqueConstraint("group_id", "about", name="uq_notification_message_group_id_about"),
        _belongs("notification_message", "group_id", "notification_group"),
    )
    op.create_table(
        "notification_delivery",
        _id(),
        _group(),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("receiver", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("next_try_at", AT, nullable=True),
        sa.Column("began_at", AT, nullable=True),
        sa.Column("sent_at", AT, nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("created_at", AT, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.PrimaryKeyConstraint("id", name="pk_notification_delivery"),
        sa.UniqueConstraint(
            "message_id",
            "channel_id",
            "receiver",
            name="uq_notification_delivery_message_id_channel_id_receiver",
        ),
        _belongs("notification_delivery", "group_id", "notification_group"),
        _belongs("notification_delivery", "message_id", "notification_message"),
        _belongs("notification_delivery", "channel_id", "notification_channel", ondelete="SET NULL"),
    )
    op.create_index(
        "ix_notification_delivery_page", "notification_delivery", ["group_id", "created_at", "id"]
    )
    op.create_index(
        "ix_notification_delivery_under_way",
        "notification_delivery",
        ["channel_id"],
        postgresql_where=sa.text("state IN ('pending', 'sending')"),
    )


def upgrade() -> None:
    """Bring the database to this revision: new tables, and history told."""
    _groups()
    _outbox()
    op.create_table(
        "notified_update",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notified_update"),
    )
    # what was seen before there were news is none
    op.execute("INSERT INTO notified_update SELECT 1, coalesce(max(id), 0) FROM vulnerability_event")
