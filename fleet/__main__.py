"""`fleet` and `python -m fleet`."""

import sys


def main() -> None:
    if sys.argv[1:] in (["--version"], ["version"]):
        from fleet import __version__

        print(f"fleet {__version__}")
        return
    from fleet.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
