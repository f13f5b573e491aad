"""What happened, kept: events, samples, speeds, last known boots and models. SQLite in the state folder."""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fleet.core.errors import FleetError
from fleet.core.events import Event, Measured, Sampled, ServerSampled

SCHEMA = 1
PATIENCE = 10.0  # seconds
PAUSE = 0.02  # seconds between two tries
EVENTS_KEPT = 200_000  # rows; the oldest go first
RATED = 16 << 20  # bytes; less says nothing about a line
SAMPLES_KEPT = 7 * 24 * 3600  # seconds

TABLES = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, ts REAL NOT NULL, run TEXT NOT NULL, host TEXT,
    event TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_run ON events (run);
CREATE TABLE IF NOT EXISTS samples (
    ts REAL NOT NULL, host TEXT NOT NULL, server TEXT NOT NULL,
    memory_used INTEGER, generation_tps REAL, prompt_tps REAL
);
CREATE INDEX IF NOT EXISTS samples_by_time ON samples (ts);
CREATE TABLE IF NOT EXISTS measured (
    host TEXT NOT NULL, server TEXT NOT NULL, ts REAL NOT NULL, generation_tps REAL NOT NULL,
    prompt_tps REAL, ttft REAL, tokens INTEGER, PRIMARY KEY (host, server)
);
CREATE TABLE IF NOT EXISTS hosts (name TEXT PRIMARY KEY, boot TEXT, seen REAL NOT NULL);
CREATE TABLE IF NOT EXISTS held (host TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (host, sha256));
"""


class Journal:
    """The record of all runs on this controller.

    Args:
        path: the database; made with mode 0600.
        patience: seconds to wait for another fleet that writes; twice that where it makes the file.

    Raises:
        FleetError: it cannot be opened or written, or a newer fleet made it.
            Nothing is changed on any host then: what is not recorded is not done.
    """

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self.path = path
        with self._translated():
            path.touch(mode=0o600, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=patience, isolation_level=None)
            self._write_ahead(time.monotonic() + patience)
            self._db.execute("PRAGMA synchronous = NORMAL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA:
                raise FleetError(
                    f"{path} was written by a newer fleet (schema {version})", next="update fleet"
                )
            self._db.executescript(TABLES)
            self._db.execute(f"PRAGMA user_version = {SCHEMA}")

    def write(self, event: Event) -> None:
        """Keep an event; samples go to their own tables."""
        with self._translated():
            if event.is_kept:
                self._db.execute(
                    "INSERT INTO events (ts, run, host, event, body) VALUES (?, ?, ?, ?, ?)",
                    (event.ts, event.run, event.host, event.event, event.to_json()),
                )
            match event:
                case Measured(host=str(host)):
                    self._db.execute(
                        "INSERT OR REPLACE INTO measured VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (
                            host,
                            event.server,
                            event.ts,
                            event.generation_tps,
                            event.prompt_tps,
                            event.ttft,
                            event.tokens,
                        ),
                    )
                case Sampled(host=str(host)):
                    self._sample(event.ts, host, "", event.memory_used, None, None)
                case ServerSampled(host=str(host)) if event.generation_tps is not None:
                    self._sample(event.ts, host, event.server, None, event.generation_tps, event.prompt_tps)
                case _:
                    pass

    def write_all(self, events: list[Event]) -> None:
        """Many at once, in one transaction: what a collector gathers in a second."""
        with self._translated():
            self._db.execute("BEGIN")
            try:
                for event in events:
                    self.write(event)
            finally:
                self._db.execute("COMMIT")

    def measured(self, host: str) -> dict[str, tuple[float, float]]:
        """Server -> (tokens/s of the last measured traffic, Unix time)."""
        with self._translated():
            rows = self._db.execute("SELECT server, generation_tps, ts FROM measured WHERE host = ?", (host,))
            return {server: (tps, ts) for server, tps, ts in rows}

    def saw(self, host: str, boot: str | None, at: float) -> str | None:
        """Note that the host answered. Returns the boot id it had before, if known."""
        with self._translated():
            row = self._db.execute("SELECT boot FROM hosts WHERE name = ?", (host,)).fetchone()
            self._db.execute("INSERT OR REPLACE INTO hosts VALUES (?, ?, ?)", (host, boot, at))
            return row[0] if row else None

    def holds(self, host: str, models: Iterable[str]) -> None:
        """Note which models the host has, by their sha256."""
        now = set(models)
        with self._translated():
            before = {
                sha256 for (sha256,) in self._db.execute("SELECT sha256 FROM held WHERE host = ?", (host,))
            }
            gone, new = ([(host, one) for one in sorted(some)] for some in (before - now, now - before))
            self._db.executemany("DELETE FROM held WHERE host = ? AND sha256 = ?", gone)
            self._db.executemany("INSERT OR IGNORE INTO held VALUES (?, ?)", new)

    def holders(self, sha256: str) -> tuple[str, ...]:
        """Hosts that had the model when they were looked at last, the last one that answered first."""
        with self._translated():
            rows = self._db.execute(
                "SELECT host FROM held JOIN hosts ON hosts.name = held.host WHERE sha256 = ?"
                " ORDER BY seen DESC, host",
                (sha256,),
            )
            return tuple(host for (host,) in rows)

    def last_seen(self, host: str) -> float | None:
        """Unix time of the host's last answer."""
        with self._translated():
            row = self._db.execute("SELECT seen FROM hosts WHERE name = ?", (host,)).fetchone()
            return row[0] if row else None

    def forget(self, host: str) -> None:
        """Drop what is known of a host that left the inventory; its events stay."""
        with self._translated():
            self._db.execute("DELETE FROM hosts WHERE name = ?", (host,))
            self._db.execute("DELETE FROM measured WHERE host = ?", (host,))
            self._db.execute("DELETE FROM held WHERE host = ?", (host,))

    def events(
        self, run: str | None = None, host: str | None = None, most: int = 1000
    ) -> list[dict[str, object]]:
        """The last events as documents, oldest first."""
        with self._translated():
            rows = self._db.execute(
                "SELECT body FROM events WHERE (?1 IS NULL OR run = ?1) AND (?2 IS NULL OR host = ?2)"
                " ORDER BY id DESC LIMIT ?3",
                (run, host, most),
            ).fetchall()
            return [json.loads(body) for (body,) in reversed(rows)]

    def rate(self, host: str, route: str) -> float | None:
        """Bytes/s of the last model that came to the host this way; None where none did."""
        with self._translated():
            row = self._db.execute(
                "SELECT json_extract(body, '$.bytes') / json_extract(body, '$.seconds') FROM events"
                " WHERE event = 'step_done' AND host = ? AND json_extract(body, '$.route') = ?"
                " AND json_extract(body, '$.bytes') >= ? AND json_extract(body, '$.seconds') > 0"
                " ORDER BY id DESC LIMIT 1",
                (host, route, RATED),
            ).fetchone()
            return float(row[0]) if row else None

    def trim(self, now: float, most: int = EVENTS_KEPT) -> None:
        """Keep the file small."""
        with self._translated():
            self._db.execute("DELETE FROM samples WHERE ts < ?", (now - SAMPLES_KEPT,))
            self._db.execute("DELETE FROM events WHERE id <= (SELECT MAX(id) FROM events) - ?", (most,))

    def close(self) -> None:
        self._db.close()

    def _sample(
        self,
        ts: float,
        host: str,
        server: str,
        memory: int | None,
        generation: float | None,
        prompt: float | None,
    ) -> None:
        self._db.execute(
            "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?)", (ts, host, server, memory, generation, prompt)
        )

    def _write_ahead(self, end: float) -> None:
        """Sets the mode in which readers and a writer do not wait for each other.

        SQLite refuses it at once, whatever the timeout, while another connection makes the file.
        """
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
            time.sleep(PAUSE)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise FleetError(
                f"the journal {self.path} cannot be used: {error}",
                next=f"free space on that disk or check the folder's owner: ls -ld {self.path.parent}",
                kind="journal",
            ) from error
