"""The published versions of an archive, and the files of each."""

import uuid

import sqlalchemy as sa
from alembic import context, op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, and give the archive an identity that no other has."""
    schema = context.config.attributes["schema"]
    archive = op.create_table(
        "archive",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("current", sa.Text, nullable=True),
        schema=schema,
    )
    op.create_table(
        "version_files",
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        schema=schema,
    )
    op.bulk_insert(archive, [{"id": uuid.uuid4().hex, "current": None}])
