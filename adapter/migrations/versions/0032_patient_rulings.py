"""What people said of hospitals' patients: this person here, or never this one."""

import sqlalchemy as sa
from alembic import op

from adapter.database import UtcDateTime

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "patient_ruling",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("hospital", sa.String(60), nullable=False),
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("cadre", sa.String(200), nullable=False),
        sa.Column("is_never", sa.Boolean(), nullable=False),
        sa.Column("item", sa.BigInteger(), nullable=False),
        sa.Column("ruled_at", UtcDateTime(), nullable=False),
        sa.Column("ruled_by", sa.String(100), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_patient_ruling_hospital_subject_cadre",
        "patient_ruling",
        ["hospital", "subject", "cadre"],
        unique=True,
    )
    op.create_index("ix_patient_ruling_cadre", "patient_ruling", ["cadre"])
    op.create_index("ix_patient_ruling_item", "patient_ruling", ["item"])
