from __future__ import annotations

import importlib
import threading
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from shared.errors import Conflict, Unavailable
from shared.storage.migrate import migrate, migrations_of
from shared.storage.postgres import Database
from shared.storage.queries import Queries


@dataclass
class Word:
    id: int
    text: str


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    name = f"pkg_{abs(hash(request.node.nodeid))}"
    folder = tmp_path / name
    (folder / "sql" / "migrations").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "sql" / "queries.sql").write_text(
        "-- name: add_word\n-- Add a word, 100% of it.\ninsert into words.word (text) values (%(text)s) returning id;\n"
        "\n-- name: words\n-- All words.\nselect id, text from words.word order by id;\n"
        "\n-- name: shout\n-- Change every word.\nupdate words.word set text = upper(text);\n"
    )
    (folder / "sql" / "migrations" / "0001_words.sql").write_text(
        "create table words.word (id bigint generated always as identity primary key, text text not null);\n"
        "create index on words.word (text);\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return folder


def test_named_queries_map_rows_to_classes(database: Database, package: Path) -> None:
    migrate(database, "words", package.name)
    queries = Queries.of(package.name)
    with database.transaction() as conn:
        assert queries.row(conn, "words", Word) is None
        assert queries.value(conn, "add_word", text="50% & ünï") == 1
        assert queries.run_many(conn, "add_word", [{"text": "b"}, {"text": "c"}]) == 2
        assert queries.rows(conn, "words", Word) == [Word(1, "50% & ünï"), Word(2, "b"), Word(3, "c")]
        assert queries.run(conn, "shout") == 3
        assert queries.row(conn, "words", Word) == Word(1, "50% & ÜNÏ")
        with pytest.raises(LookupError, match=r"'nonsense'.*add_word"):
            queries.run(conn, "nonsense")


def test_of_many_rows_one_that_cannot_be_is_told_once(
    database: Database, package: Path, caplog: pytest.LogCaptureFixture
) -> None:
    migrate(database, "words", package.name)
    queries = Queries.of(package.name)
    with pytest.raises(psycopg.errors.NotNullViolation), database.transaction() as conn:
        queries.run_many(conn, "add_word", [{"text": None}, *({"text": "b" * 5_000} for _ in range(2_000))])
    assert caplog.messages == []
    with database.transaction() as conn:
        assert queries.rows(conn, "words", Word) == []


def test_an_exception_rolls_back_and_the_connection_is_usable_again(database: Database, package: Path) -> None:
    migrate(database, "words", package.name)
    queries = Queries.of(package.name)

    def fail_after_a_write() -> None:
        with database.transaction() as conn:
            queries.run(conn, "add_word", text="lost")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_a_write()
    with pytest.raises(psycopg.errors.NotNullViolation), database.transaction() as conn:
        queries.run(conn, "add_word", text=None)
    with database.transaction() as conn:
        assert queries.rows(conn, "words", Word) == []


def test_a_dict_is_sent_as_jsonb_and_times_come_back_in_utc(database: Database) -> None:
    with database.transaction() as conn:
        row = conn.execute("select %s as j, now() as t", [{"a": [1, None]}]).fetchone()
    assert row is not None
    assert row["j"] == {"a": [1, None]}
    assert row["t"].utcoffset().total_seconds() == 0


def test_threads_share_a_few_connections(database: Database) -> None:
    seen: set[int] = set()

    def ask() -> None:
        for _ in range(20):
            with database.transaction() as conn:
                seen.add(conn.info.backend_pid)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(seen) <= 8


def test_connections_that_the_server_closed_are_replaced_unnoticed(database: Database) -> None:
    with database.transaction() as one, database.transaction() as two:
        pids = [conn.info.backend_pid for conn in (one, two)]
    with psycopg.connect(database.url, autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(pid, 5000) from unnest(%s::int[]) as pid", [pids])
    database.check()


def test_a_connection_lost_in_the_middle_is_unavailable_and_commits_nothing(database: Database, package: Path) -> None:
    migrate(database, "words", package.name)
    queries = Queries.of(package.name)

    def lose_the_connection() -> None:
        with database.transaction() as conn:
            queries.run(conn, "add_word", text="lost")
            with psycopg.connect(database.url, autocommit=True) as admin:
                admin.execute("select pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])
            queries.run(conn, "add_word", text="lost too")

    with pytest.raises(Unavailable, match="Postgres at /"):
        lose_the_connection()
    with database.transaction() as conn:
        assert queries.rows(conn, "words", Word) == []


def test_a_database_that_does_not_answer_is_unavailable_and_the_message_keeps_the_password() -> None:
    database = Database("postgresql://me:secret@127.0.0.1:1/none", application_name="test")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1/none") as raised:
        database.check()
    database.close()
    assert "secret" not in str(raised.value)
    assert "refused" in str(raised.value)


def test_when_all_connections_are_busy_it_says_so(database_url: str) -> None:
    database = Database(database_url, application_name="greedy", max_size=1)
    with database.transaction(), pytest.raises(Unavailable, match="all 1 connections of greedy"):
        database.check()
    database.close()


def test_migrations_apply_once_also_when_many_processes_start_at_once(database_url: str, package: Path) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(6)

    def start() -> None:
        database = Database(database_url, application_name="test")
        try:
            barrier.wait()
            migrate(database, "words", package.name)
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with psycopg.connect(database_url) as conn:
        assert conn.execute("select number, name from words.migration").fetchall() == [(1, "words")]


def test_a_changed_unknown_or_broken_migration_is_refused_and_changes_nothing(
    database: Database, package: Path
) -> None:
    migrate(database, "words", package.name)
    folder = package / "sql" / "migrations"
    original = (folder / "0001_words.sql").read_text()
    second = folder / "0002_more.sql"

    (folder / "0001_words.sql").write_text(original + "-- changed")
    with pytest.raises(Conflict, match="0001_words of schema words was changed"):
        migrate(database, "words", package.name)
    (folder / "0001_words.sql").write_text(original)

    second.write_text("alter table words.word add column half text; select nonsense;")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        migrate(database, "words", package.name)
    second.write_text("alter table words.word add column half text;")
    migrate(database, "words", package.name)

    second.unlink()
    with pytest.raises(Conflict, match="0002_more, which this version does not know"):
        migrate(database, "words", package.name)

    (folder / "0003_gap.sql").write_text("select 1;")
    with pytest.raises(ValueError, match=r"expected a name like 0002_what_it_does\.sql"):
        migrations_of(package.name)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-- name: a\nselect 1", "begin with a comment"),
        ("-- name: a\n-- Nothing.\n", "no SQL under"),
        ("-- name: a\n-- One.\nselect 1\n-- name: a\n-- Two.\nselect 2", "used twice"),
        ("-- name: Bad Name\n-- One.\nselect 1", "malformed"),
    ],
)
def test_a_malformed_query_file_is_refused(package: Path, text: str, problem: str) -> None:
    (package / "sql" / "queries.sql").write_text(text)
    with pytest.raises(ValueError, match=problem):
        Queries.of(package.name)
