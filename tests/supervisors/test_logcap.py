"""A log stays below its size while its writer goes on."""

import subprocess
import time

from fleet.supervisors.base import helpers


def test_a_log_is_copied_and_cut_and_the_writer_never_notices(place):
    place.write(helpers(str(place.root), cap=1000, nap=0)[0])
    log = place.root / "server.log"
    with log.open("ab") as out:
        writer = subprocess.Popen(
            ["sh", "-c", 'while read -r line; do echo "$line"; done'], stdin=subprocess.PIPE, stdout=out
        )
    assert writer.stdin is not None
    keeper = subprocess.Popen(
        [str(place.shells / "sh"), str(place.root / "bin" / "logcap.sh"), str(log), str(writer.pid)]
    )
    old = place.root / "server.log.1"
    for _ in range(100):
        writer.stdin.write(b"x" * 99 + b"\n")
        writer.stdin.flush()
        time.sleep(0.01)
        if old.exists() and log.stat().st_size < 1000:
            break
    assert old.stat().st_size > 1000
    writer.stdin.write(b"last words\n")
    writer.stdin.close()
    writer.wait(10)
    assert keeper.wait(10) == 0
    assert b"last words" in log.read_bytes() + old.read_bytes()
    assert b"\0" not in log.read_bytes()
