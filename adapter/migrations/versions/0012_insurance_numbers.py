"""People are found by the ten digits of the social insurance number, which their card's number ends with."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO cadre_identifier (value, cadre) "
        "SELECT DISTINCT substr(value, 6), cadre FROM cadre_identifier AS card WHERE length(value) = 15 "
        "AND NOT EXISTS (SELECT 1 FROM cadre_identifier AS there "
        "WHERE there.value = substr(card.value, 6) AND there.cadre = card.cadre)"
    )
