"""The repository's tables: current resources, superseded versions, and what search looks up.

The newest version is in `repository_resource` alone; a version moves to `repository_version` when
a newer one takes its place, so a first write costs one row. Instants are milliseconds since
1970 (UTC), the precision that `meta.lastUpdated` shows.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, String, Table

from adapter.database import metadata

__all__ = ["TABLES", "repository_index", "repository_range", "repository_resource", "repository_version"]

repository_resource = Table(
    "repository_resource",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("type", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("content", String(32), nullable=False),  # digest without id, versionId and lastUpdated
    Column("body", LargeBinary, nullable=False),  # empty for a deleted resource
    Index("ix_repository_resource_updated", "owner", "type", "updated", "id"),
)

repository_version = Table(
    "repository_version",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("type", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("deleted", Boolean, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("content", String(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_repository_version_updated", "owner", "type", "updated", "id", "version"),
    sqlite_with_rowid=False,
)

repository_index = Table(
    "repository_index",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("type", String(64), primary_key=True),
    Column("name", String(32), primary_key=True),  # a search parameter, or `_content`
    Column("value", String(256), primary_key=True),
    Column("system", String(256), primary_key=True),  # "" for references and for no system
    Column("id", String(64), primary_key=True),
    Index("ix_repository_index_resource", "owner", "type", "id"),
    sqlite_with_rowid=False,
)

repository_range = Table(
    "repository_range",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("type", String(64), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("key", String(256), primary_key=True),  # what stands beside it in a composite, or ""
    Column("low", Double, primary_key=True),  # of instants, milliseconds since 1970
    Column("high", Double, primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),  # of the rows of this resource
    Column("system", String(256), nullable=False),
    Column("code", String(256), nullable=False),
    Column("unit", String(256), nullable=False),
    Index("ix_repository_range_resource", "owner", "type", "id"),
    sqlite_with_rowid=False,
)

TABLES = (repository_resource, repository_version, repository_index, repository_range)
