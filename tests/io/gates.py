"""A host of the rig that can be stopped in the middle of what a program of ours does there."""

import subprocess
import time
from pathlib import Path

from tests.controller import Controller
from tests.live.sites import Site
from tests.rig.hosts import RigHost

PATIENCE = 60.0  # seconds
TOOLS = ("mv", "rm", "mkdir", "openssl")
# Does its work, but waits before or after it where its arguments, or its name, are as the gate says.
TOOL = """#!/bin/sh
gate=/srv/gate
if [ -e $gate ] && read -r when pattern <$gate; then
    case "$(basename "$0") $*" in *"$pattern"*) is_meant=1 ;; esac
fi
[ -z "$is_meant" ] || [ "$when" != before ] || { : >/srv/began; while [ -e $gate ]; do sleep 0.02; done; }
/usr/bin/TOOL "$@"
status=$?
[ -z "$is_meant" ] || [ "$when" != after ] || { : >/srv/began; while [ -e $gate ]; do sleep 0.02; done; }
exit $status
"""


def profile(folder: Path) -> Path:
    """A profile whose tools know the gate."""
    (folder / "bin").mkdir(parents=True)
    for name in TOOLS:
        (folder / "bin" / name).write_text(TOOL.replace("TOOL", name))
        (folder / "bin" / name).chmod(0o755)
    return folder


class Gate:
    """Where the next command stops; each command passes an open gate."""

    def __init__(self, site: Site) -> None:
        assert isinstance(site.host, RigHost)
        self.site, self.host = site, site.host
        self.host.exec("sh", "-c", "rm -f /srv/gate /srv/began; chmod 777 /srv")

    def shut(self, when: str, pattern: str) -> None:
        """Args: when: before or after; pattern: text in the tool's name and arguments."""
        self.host.exec("sh", "-c", 'printf "%s\\n" "$0" >/srv/gate', f"{when} {pattern}")

    def open(self) -> None:
        self.host.exec("rm", "-f", "/srv/gate", "/srv/began")

    def stopped(self, run: "subprocess.Popen[str]") -> None:
        """Until a program stands before the gate."""
        end = time.monotonic() + PATIENCE
        while self.host.exec("sh", "-c", "[ ! -e /srv/began ] || echo began") == "":
            assert run.poll() is None, "it ended before it came to the gate"
            assert time.monotonic() < end, "nothing came to the gate"


def sshd(host: RigHost) -> None:
    """Every connection ends."""
    host.exec("pkill", "-KILL", "-f", f"sshd: {host.user}")


def link(host: RigHost) -> None:
    """The cable is pulled for a moment."""
    host.cut()
    time.sleep(2)
    host.heal()


def power(host: RigHost) -> None:
    host.kill()
    host.start()


STRIKES = (sshd, link, power)


def filled(host: RigHost) -> None:
    """Not one block and not one inode of /home is free."""
    host.exec(
        "sh",
        "-c",
        "mkdir -p /home/full && cd /home/full && "
        "{ dd if=/dev/zero of=blocks bs=64k; dd if=/dev/zero of=rest bs=1k; "
        'n=0; while touch "inode.$n"; do n=$((n + 1)); done; } 2>/dev/null || true',
    )


def emptied(host: RigHost) -> None:
    host.exec("rm", "-rf", "/home/full")


def ended(run: "subprocess.Popen[str]") -> int:
    run.communicate(timeout=PATIENCE * 3)
    return run.returncode


__all__ = ["STRIKES", "Controller", "Gate", "emptied", "ended", "filled", "profile"]
