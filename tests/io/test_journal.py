"""The record of runs: kept, shared by many, small, and never a traceback."""

import dataclasses
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fleet.core.errors import FleetError
from fleet.core.events import Heartbeat, Measured, Notice, Sampled, ServerSampled, StepDone, StepProgress
from fleet.io.journal import Journal


def notice(ts: float = 1.0, run: str = "r", host: str | None = "h", message: str = "x") -> Notice:
    return Notice(ts=ts, run=run, host=host, message=message)


@pytest.fixture
def journal(tmp_path: Path):
    opened = Journal(tmp_path / "fleet.db")
    yield opened
    opened.close()


def test_events_come_back_oldest_first_by_run_and_by_host(journal: Journal):
    for number, (run, host) in enumerate([("a", "h"), ("b", "h"), ("b", None)]):
        journal.write(notice(number, run, host, f"{number}"))
    assert [event["message"] for event in journal.events()] == ["0", "1", "2"]
    assert [event["message"] for event in journal.events(run="b")] == ["1", "2"]
    assert [event["message"] for event in journal.events(host="h")] == ["0", "1"]
    assert [event["message"] for event in journal.events(most=1)] == ["2"]


def test_who_has_a_model_is_known_until_they_are_seen_without_it(journal: Journal):
    for number, (host, models) in enumerate([("a", ["m", "n"]), ("b", ["m"]), ("c", []), ("gone", ["m"])]):
        journal.saw(host, None, float(number))
        journal.holds(host, models)
    journal.forget("gone")
    assert journal.holders("m") == ("b", "a")
    journal.holds("b", ["n"])
    assert (journal.holders("m"), journal.holders("n")) == (("a",), ("b", "a"))


def test_only_its_owner_can_read_it(tmp_path: Path, journal: Journal):
    assert (tmp_path / "fleet.db").stat().st_mode & 0o777 == 0o600


def test_progress_and_signs_of_life_are_not_kept(journal: Journal):
    journal.write(
        StepProgress(
            ts=1.0,
            run="r",
            host="h",
            step="s",
            phase="push",
            done=1,
            total=2,
            unit="bytes",
            rate=None,
            left=None,
        )
    )
    assert journal.events() == []
    done = StepDone(
        ts=1.0, run="r", host="h", step="s", phase="push", key="k", done=1, total=1, seconds=1.0, bytes=5
    )
    journal.write(done)
    assert journal.events() == [done.document() | {"bytes": 5}]


def test_the_last_measured_speed_of_each_server_is_known(journal: Journal):
    for ts, tps in ((1.0, 10.0), (2.0, 20.0)):
        journal.write(
            Measured(
                ts=ts,
                run="r",
                host="h",
                server="chat",
                generation_tps=tps,
                prompt_tps=None,
                ttft=None,
                tokens=3,
            )
        )
    assert journal.measured("h") == {"chat": (20.0, 2.0)}
    journal.forget("h")
    assert journal.measured("h") == {}


def test_a_restart_of_a_host_is_seen_by_its_boot_id(journal: Journal):
    assert journal.last_seen("h") is None
    assert journal.saw("h", "boot-1", 1.0) is None
    assert journal.saw("h", "boot-2", 2.0) == "boot-1"
    assert journal.last_seen("h") == 2.0


def test_what_a_collector_gathers_is_written_at_once(journal: Journal):
    journal.write_all([notice(number) for number in range(50)] + [Heartbeat(ts=1.0, run="r", host="h")])
    assert len(journal.events()) >= 50


def test_old_samples_and_too_many_events_are_dropped(journal: Journal, tmp_path: Path):
    for number in range(20):
        journal.write(notice(number))
    journal.write(sampled(1.0))
    journal.write(sampled(1e9))
    journal.trim(1e9, most=5)
    with sqlite3.connect(tmp_path / "fleet.db") as db:
        assert db.execute("SELECT COUNT(*) FROM samples").fetchone() == (1,)
        assert db.execute("SELECT COUNT(*) FROM events").fetchone() == (5,)


def sampled(ts: float) -> Sampled | ServerSampled:
    fields = {field.name: None for field in dataclasses.fields(ServerSampled)}
    return ServerSampled(
        **(fields | {"ts": ts, "run": "r", "host": "h", "server": "s", "generation_tps": 1.0})
    )


def test_eight_fleets_at_once_lose_nothing(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path\n"
        "from fleet.core.events import Notice\n"
        "from fleet.io.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for n in range(20): journal.write(Notice(ts=1.0, run=sys.argv[2], host=None, message=str(n)))\n"
    )
    path = tmp_path / "fleet.db"
    many = [
        subprocess.Popen([sys.executable, "-c", code, path, str(n)], stderr=subprocess.PIPE, text=True)
        for n in range(8)
    ]
    for one in many:
        assert one.communicate(timeout=60)[1] == ""
    journal = Journal(path)
    assert len(journal.events()) == 160
    journal.close()


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_fleet_that_starts_while_another_makes_the_journal_waits_for_it(tmp_path: Path, lock: str):
    path = tmp_path / "fleet.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute(f"BEGIN {lock}")
    ending = threading.Timer(0.5, other.execute, ("COMMIT",))
    ending.start()
    Journal(path).close()
    ending.join()
    other.close()


def test_a_journal_that_another_program_never_lets_go_of_is_one_clear_sentence(tmp_path: Path):
    path = tmp_path / "fleet.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(FleetError, match="locked"):
        Journal(path, patience=0.2)
    other.close()


@pytest.mark.parametrize("wrong", ["folder", "garbage", "newer"])
def test_a_file_that_cannot_be_used_is_one_clear_sentence(tmp_path: Path, wrong: str):
    path = tmp_path / "fleet.db"
    if wrong == "folder":
        path.mkdir()
    elif wrong == "garbage":
        path.write_bytes(os.urandom(8192))
    else:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
    with pytest.raises(FleetError) as error:
        Journal(path)
    assert str(path) in error.value.what
    assert error.value.next


def test_a_failed_write_is_one_clear_sentence(journal: Journal):
    journal.close()
    with pytest.raises(FleetError, match="cannot be used"):
        journal.write(notice())
