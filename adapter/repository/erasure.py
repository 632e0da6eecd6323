"""Takes the content of a resource away for good, its history too; what is left answers 410."""

from collections.abc import Iterator

from sqlalchemy import Connection, delete, select, tuple_, update

from adapter.repository.tables import (
    TABLES,
    repository_index,
    repository_range,
    repository_resource,
    repository_version,
)

__all__ = ["all_bodies", "erase_resource", "forget_resource"]

_PAGE = 500


def erase_resource(connection: Connection, owner: str, resource_type: str, resource_id: str) -> None:
    """Empty all versions of one resource in the caller's transaction; nothing finds it any more."""
    for table in (repository_resource, repository_version):
        connection.execute(
            update(table)
            .where(table.c.owner == owner, table.c.type == resource_type, table.c.id == resource_id)
            .values(body=b"", content="", deleted=True)
        )
    for index in (repository_index, repository_range):
        connection.execute(
            delete(index).where(
                index.c.owner == owner, index.c.type == resource_type, index.c.id == resource_id
            )
        )


def forget_resource(connection: Connection, owner: str, resource_type: str, resource_id: str) -> None:
    """Its very id tells of somebody: nothing of it stays, and reading it answers 404."""
    for table in TABLES:
        connection.execute(
            delete(table).where(
                table.c.owner == owner, table.c.type == resource_type, table.c.id == resource_id
            )
        )


def all_bodies(connection: Connection) -> Iterator[tuple[str, str, str, bytes]]:
    """Owner, type, id and body of every version that holds something, a page at a time."""
    for table in (repository_resource, repository_version):
        place = (table.c.owner, table.c.type, table.c.id, table.c.version)
        last = ("", "", "", 0)
        while True:
            query = select(*place, table.c.body).where(tuple_(*place) > last).order_by(*place).limit(_PAGE)
            page = connection.execute(query).all()
            if not page:
                break
            last = (page[-1].owner, page[-1].type, page[-1].id, page[-1].version)
            for row in page:
                if row.body:
                    yield row.owner, row.type, row.id, row.body
