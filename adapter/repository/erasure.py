"""Takes the content of a resource away for good, its history too; what is left answers 410."""

from sqlalchemy import Connection, delete, update

from adapter.repository.tables import repository_index, repository_resource, repository_version

__all__ = ["erase_resource"]


def erase_resource(connection: Connection, owner: str, resource_type: str, resource_id: str) -> None:
    """Empty all versions of one resource in the caller's transaction; nothing finds it any more."""
    for table in (repository_resource, repository_version):
        connection.execute(
            update(table)
            .where(table.c.owner == owner, table.c.type == resource_type, table.c.id == resource_id)
            .values(body=b"", content="", deleted=True)
        )
    connection.execute(
        delete(repository_index).where(
            repository_index.c.owner == owner,
            repository_index.c.type == resource_type,
            repository_index.c.id == resource_id,
        )
    )
