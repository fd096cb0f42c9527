"""Numbered migrations, one Postgres schema per package, applied when a process starts."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

from psycopg import sql

from shared.errors import Conflict
from shared.storage.postgres import Connection, Database

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrate(database: Database, schema: str, package: str) -> None:
    """Bring `schema` to the state that `<package>/sql/migrations/NNNN_name.sql` describe.

    Each file is applied once, in order, all in one transaction, so a failure leaves the schema as it was. An
    advisory lock lets several processes call this at once: one works, the others wait and find it done.

    Raises Conflict when an applied file was changed since, or when the database was migrated by a newer version.
    """
    wanted = migrations_of(package)
    with database.transaction() as conn:
        conn.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"barsmith migrate {schema}"])
        applied = _applied(conn, schema)
        _check_history(schema, wanted, applied)
        for migration in wanted[len(applied) :]:
            conn.execute(migration.text.encode())
            conn.execute(
                sql.SQL("insert into {} (number, name, sha256) values (%s, %s, %s)").format(
                    sql.Identifier(schema, "migration")
                ),
                [migration.number, migration.name, migration.sha256],
            )


def migrations_of(package: str) -> list[Migration]:
    """Return the migrations of `package` in order. Raises ValueError for a misnamed file or a gap."""
    folder = resources.files(package).joinpath("sql", "migrations")
    found: list[Migration] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.endswith(".sql"):
            continue
        match = _FILE.fullmatch(entry.name)
        if match is None or int(match[1]) != len(found) + 1:
            raise ValueError(
                f"{package}/sql/migrations/{entry.name}: expected a name like {len(found) + 1:04d}_what_it_does.sql"
            )
        found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return found


def _applied(conn: Connection, schema: str) -> list[tuple[int, str, str]]:
    conn.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    table = sql.Identifier(schema, "migration")
    conn.execute(
        sql.SQL(
            "create table if not exists {} (number integer primary key, name text not null, sha256 text not null,"
            " applied_at timestamptz not null default now())"
        ).format(table)
    )
    rows = conn.execute(sql.SQL("select number, name, sha256 from {} order by number").format(table))
    return [(row["number"], row["name"], row["sha256"]) for row in rows]


def _check_history(schema: str, wanted: list[Migration], applied: list[tuple[int, str, str]]) -> None:
    if len(applied) > len(wanted):
        raise Conflict(
            f"schema {schema} has migration {applied[-1][0]:04d}_{applied[-1][1]}, which this version does not know:"
            " run the version that made it, or a newer one"
        )
    for migration, (number, name, sha256) in zip(wanted, applied, strict=False):
        if migration.sha256 != sha256:
            raise Conflict(
                f"migration {number:04d}_{name} of schema {schema} was changed after it was applied:"
                " put the file back and write the change as a new migration"
            )
