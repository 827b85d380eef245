"""The schema as first released. A fresh file is made from the tables themselves; this is where later revisions start."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: no store was ever without these tables."""
