from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.errors import Conflict, Unavailable
from shared.storage.embedded import EmbeddedPostgres
from shared.storage.embedded.server import LONGEST_SOCKET_FOLDER
from shared.storage.postgres import Database
from shared.testing.waiting import eventually

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")

SUPERVISOR = """
import sys, time
from pathlib import Path
from shared.storage.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # below the folder that pytest makes, which only its owner may enter, no other user could run a server without
    # extra rights: that is one test's matter, not every test's
    path = Path(tempfile.mkdtemp(prefix="barsmith-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def supervisor(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(folder)], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()
    eventually(lambda: not serving(folder), what="the server stops after its supervisor")


def started(process: subprocess.Popen[str]) -> tuple[str, int]:
    assert process.stdout is not None
    url, pid = process.stdout.readline().split()
    return url, int(pid)


def serving(folder: Path) -> bool:
    return (folder / "cluster" / "postmaster.pid").exists()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def add_row(url: str) -> None:
    with psycopg.connect(url) as conn:
        conn.execute("create table if not exists kept (n integer)")
        conn.execute("insert into kept select coalesce(max(n), 0) + 1 from kept")


def rows(url: str) -> list[int]:
    with psycopg.connect(url) as conn:
        return [row[0] for row in conn.execute("select n from kept order by n")]


def test_rows_outlast_a_stop_and_a_start(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    with server as url:
        add_row(url)
        assert server.pid is not None
        assert server.start() == url
    assert server.pid is None
    assert not serving(folder)
    with EmbeddedPostgres(folder) as again:
        assert again == url
        assert rows(again) == [1]


def test_it_listens_on_a_socket_for_this_user_only(folder: Path) -> None:
    with EmbeddedPostgres(folder) as url, psycopg.connect(url) as conn:
        assert conn.execute("show listen_addresses").fetchone() == ("",)
        assert (folder / "socket").stat().st_mode & 0o777 == 0o700
        assert conn.execute("select auth_method from pg_hba_file_rules").fetchall() == [("peer",)]
        assert conn.execute("select user_name from pg_hba_file_rules").fetchall() == [(["all"],)]
        assert conn.execute("select sys_name from pg_ident_file_mappings").fetchall() == [
            (pwd.getpwuid(os.getuid()).pw_name,)
        ]


@AS_ROOT
def test_another_user_is_turned_away_even_if_it_reaches_the_socket(folder: Path) -> None:
    with EmbeddedPostgres(folder) as url:
        socket = folder / "socket"
        socket.chmod(0o755)
        (socket / ".s.PGSQL.5432").chmod(0o777)
        other = subprocess.run(
            [sys.executable, "-c", f"import psycopg, os; os.setuid(1); psycopg.connect({url!r})"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert "Peer authentication failed" in other.stderr


@AS_ROOT
def test_as_root_the_server_runs_as_somebody_else_and_owns_its_cluster_only(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    with server:
        nobody = pwd.getpwnam("nobody").pw_uid
        assert Path(f"/proc/{server.pid}").stat().st_uid == nobody
        capabilities = [
            line for line in Path(f"/proc/{server.pid}/status").read_text().splitlines() if line.startswith("CapEff")
        ]
        assert capabilities == ["CapEff:\t0000000000000000"]
        owned = {path.name for path in folder.iterdir() if path.stat().st_uid == nobody}
        assert owned == {"cluster", "socket"}
        assert folder.stat().st_uid == 0


@AS_ROOT
def test_a_folder_that_only_root_may_enter_works_and_stays_closed(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for _ in range(2):
        with EmbeddedPostgres(closed / "data") as url:
            add_row(url)
    with EmbeddedPostgres(closed / "data") as url:
        assert rows(url) == [1, 2]
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_path_too_long_for_a_socket_gets_one_elsewhere_that_goes_away(folder: Path) -> None:
    deep = folder / ("x" * LONGEST_SOCKET_FOLDER) / "data"
    server = EmbeddedPostgres(deep)
    with server as url:
        add_row(url)
        socket = server._socket_folder
        assert not socket.is_relative_to(folder)
        assert socket.stat().st_mode & 0o777 == 0o700
    assert not socket.exists()


def test_a_second_supervisor_is_refused_and_the_first_named(folder: Path, supervisor: subprocess.Popen[str]) -> None:
    url, _ = started(supervisor)
    with pytest.raises(Conflict, match=f"in use by another supervisor \\(process {supervisor.pid}\\)"):
        EmbeddedPostgres(folder).start()
    add_row(url)


def test_the_server_stops_when_its_supervisor_is_killed_and_the_next_goes_on(
    folder: Path, supervisor: subprocess.Popen[str]
) -> None:
    url, pid = started(supervisor)
    add_row(url)
    supervisor.kill()
    supervisor.wait()
    with EmbeddedPostgres(folder) as again:  # at once, while the old server may still be stopping
        assert rows(again) == [1]
    assert not alive(pid)


def test_a_killed_server_is_started_again_with_its_rows(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    with server as url:
        database = Database(url, application_name="test")
        for count in range(1, 4):
            add_row(url)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            eventually(lambda: server.pid is None, what="the server is dead")
            with pytest.raises(Unavailable):
                database.check()
            assert server.start() == url
            assert rows(url) == list(range(1, count + 1))
            database.check()
        database.close()


def test_a_restart_between_two_transactions_goes_unnoticed(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    with server as url:
        database = Database(url, application_name="test")
        with database.transaction() as conn:
            backend = conn.info.backend_pid
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        # a process of the dead server may still answer `begin` and then go: that would be within a transaction
        eventually(lambda: not Path(f"/proc/{backend}").exists(), what="the kept connection's other end is gone")
        answers: list[object] = []

        def ask() -> None:
            with database.transaction() as conn:
                answers.append(conn.execute("select 1 as one").fetchone())

        asking = threading.Thread(target=ask)
        asking.start()
        eventually(lambda: server.pid is None, what="the server is dead")
        server.start()
        asking.join()
        database.close()
    assert answers == [{"one": 1}]


def test_a_stale_pid_file_does_not_stop_it(folder: Path) -> None:
    with EmbeddedPostgres(folder) as url:
        add_row(url)
    # as after a power cut, when the number belongs to somebody else by now
    (folder / "cluster" / "postmaster.pid").write_text(
        f"{os.getppid()}\n{folder}/cluster\n1700000000\n5432\n{folder}/socket\n\n  1234567   0\nready\n"
    )
    with EmbeddedPostgres(folder) as url:
        assert rows(url) == [1]


def test_a_set_up_that_was_interrupted_is_begun_again(folder: Path) -> None:
    (folder / "cluster.new" / "base").mkdir(parents=True)
    with EmbeddedPostgres(folder) as url:
        add_row(url)
    assert not (folder / "cluster.new").exists()


def test_foreign_files_are_left_alone(folder: Path) -> None:
    (folder / "cluster").mkdir()
    (folder / "cluster" / "thesis.doc").touch()
    with pytest.raises(Conflict, match="cluster is not a Postgres cluster: move it away"):
        EmbeddedPostgres(folder).start()
    assert [path.name for path in (folder / "cluster").iterdir()] == ["thesis.doc"]


def test_a_cluster_of_another_version_is_refused(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        pass
    (folder / "cluster" / "PG_VERSION").write_text("15\n")
    with pytest.raises(Conflict, match="made by Postgres 15, this is 18"):
        EmbeddedPostgres(folder).start()


def test_a_damaged_cluster_says_what_postgres_says_and_frees_the_folder(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        pass
    control = folder / "cluster" / "global" / "pg_control"
    content = control.read_bytes()
    control.unlink()
    with pytest.raises(Unavailable, match=r"does not start: .*pg_control"):
        EmbeddedPostgres(folder).start()
    control.write_bytes(content)
    shutil.chown(control, (folder / "cluster").stat().st_uid)
    with EmbeddedPostgres(folder) as url:
        add_row(url)


def test_a_file_in_the_place_of_the_folder_is_named(folder: Path) -> None:
    (folder / "data").touch()
    with pytest.raises(Unavailable, match=r"cannot start Postgres in .*/data: .*File exists"):
        EmbeddedPostgres(folder / "data").start()


@AS_ROOT
def test_a_full_disk_is_said_in_words_and_leaves_no_half_a_cluster(folder: Path) -> None:
    small = folder / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(small)], check=False)
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small disk here")
    try:
        with pytest.raises(Unavailable, match=r"cannot create a database.*No space left on device"):
            EmbeddedPostgres(small / "data").start()
        assert not (small / "data" / "cluster").exists()
    finally:
        subprocess.run(["umount", str(small)], check=True)
