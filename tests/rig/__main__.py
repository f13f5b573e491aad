"""`python -m tests.rig COMMAND`, and the program `testhosts` beside this file."""

import argparse
import os
import sys

from tests.rig import commands, state
from tests.rig.kernel import SYS_PIVOT_ROOT
from tests.rig.options import parser
from tests.rig.relay import SOCKET, Relay
from tests.rig.tools import TOOL_PATH, RigError, missing_packages, say
from tests.rig.up import end_with_parent, hold, up

UNLOCKED = {"list": commands.show, "exec": commands.execute}
LOCKED = {
    "kill": commands.kill,
    "start": commands.start,
    "reboot": commands.reboot,
    "cut": commands.cut,
    "heal": commands.heal,
    "link": commands.link,
}


def main() -> int:
    args = parser().parse_args()
    os.environ["PATH"] = TOOL_PATH + ":" + os.environ.get("PATH", "")
    os.umask(0o022)
    try:
        _check_machine(args.command)
        _run(args)
    except RigError as error:
        say("error:", error)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(args: argparse.Namespace) -> None:
    name: str = args.rig
    if args.command == "_relay":
        Relay(state.place(name) / SOCKET).run()
    elif args.command == "up":
        if args.foreground:
            end_with_parent()
        with state.lock(name):
            rig = up(name, args)
        if args.foreground:
            hold(rig)
    elif args.command == "down":
        with state.lock(name):
            commands.down(name)
    elif args.command in UNLOCKED:
        UNLOCKED[args.command](state.load(name), args)
    else:
        with state.lock(name):
            LOCKED[args.command](state.load(name), args)


def _check_machine(command: str) -> None:
    if sys.platform != "linux":
        raise RigError("needs Linux namespaces")
    if os.geteuid() != 0:
        what = "must run as root (namespaces, bridge and overlay mounts)"
        raise RigError(f"{what}: try sudo testhosts {command}")
    lack = missing_packages()
    if lack:
        raise RigError("missing Debian packages: apt-get install " + " ".join(lack))
    if os.uname().machine not in SYS_PIVOT_ROOT:
        raise RigError("knows x86_64 and aarch64 only")


if __name__ == "__main__":
    sys.exit(main())
