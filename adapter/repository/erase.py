"""Takes the content of a resource away for good, its history too; what is left answers 410."""

from sqlalchemy import Connection, delete, update

from adapter.repository.tables import index, resource, version

__all__ = ["erase"]


def erase(connection: Connection, owner: str, resource_type: str, resource_id: str) -> None:
    """Empty all versions of one resource in the caller's transaction; nothing finds it any more."""
    for table in (resource, version):
        connection.execute(
            update(table)
            .where(table.c.owner == owner, table.c.type == resource_type, table.c.id == resource_id)
            .values(body=b"", content="", deleted=True)
        )
    connection.execute(
        delete(index).where(index.c.owner == owner, index.c.type == resource_type, index.c.id == resource_id)
    )
