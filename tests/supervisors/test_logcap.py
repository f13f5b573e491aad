"""A log stays below its size while its writer goes on."""

import subprocess
import time

from fleet.supervisors.base import helpers


def test_a_log_is_copied_and_cut_and_the_writer_never_notices(place):
    place.write(helpers(str(place.root), cap=1000, nap=0)[0])
    log, old = place.root / "server.log", place.root / "server.log.1"
    with log.open("ab", buffering=0) as out, subprocess.Popen(["sleep", "1000"]) as main:
        keeper = subprocess.Popen(
            [str(place.shells / "sh"), str(place.root / "bin" / "logcap.sh"), str(log), str(main.pid)]
        )
        try:
            end = time.monotonic() + 60
            while not (old.exists() and log.stat().st_size < 1000):
                assert time.monotonic() < end, "never cut"
                out.write(b"x" * 99 + b"\n")
                time.sleep(0.01)
            out.write(b"last words\n")
        finally:
            main.kill()
        main.wait()
        assert keeper.wait(60) == 0
    assert old.stat().st_size > 1000
    assert b"last words" in log.read_bytes()
    assert b"\0" not in log.read_bytes()
