"""A limit of how many tasks of a group may be queued."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"


def upgrade() -> None:
    op.add_column("controls", sa.Column("max_queued", sa.BigInteger().with_variant(sa.Integer(), "sqlite")))
