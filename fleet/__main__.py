"""`fleet` and `python -m fleet`."""

import os
import sys


def main() -> None:
    if sys.argv[1:] in (["--version"], ["version"]):
        from fleet import __version__

        print(f"fleet {__version__}")
        return
    if "_FLEET_COMPLETE" in os.environ:
        from fleet.completion import answer

        answer()
        return
    from fleet.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
