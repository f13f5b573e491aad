"""`fleet` answers at once, because it imports what it needs and no more."""

import json
import subprocess
import sys

import pytest

HEAVY = {"textual", "asyncssh", "httpx", "pydantic", "rich", "cryptography"}
PROGRAM = """
import json, sys
sys.argv = ["fleet", *json.loads(sys.argv[1])]
try:
    from fleet.__main__ import main
    main()
except SystemExit as leave:
    code = leave.code
else:
    code = 0
print(file=sys.stderr)
print(json.dumps([code or 0, sorted(sys.modules)]), file=sys.stderr)
"""


def imports(*words: str) -> set[str]:
    """Top-level packages that a command line imported."""
    argv = [sys.executable, "-c", PROGRAM, json.dumps(words)]
    done = subprocess.run(argv, text=True, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["deploy", "--help"],
        ["status", "--help"],
        ["completion", "bash"],
        ["completion", "zsh"],
        ["completion", "fish"],
    ],
    ids=" ".join,
)
def test_a_word_about_itself_imports_no_network_no_screen_and_no_schema(words: list[str]) -> None:
    assert not imports(*words) & HEAVY


def test_the_version_does_not_even_need_the_command_line_parser() -> None:
    assert not imports("--version") & (HEAVY | {"click", "asyncio"})


def test_a_typo_is_answered_without_a_network() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fleet", "deplyo"], text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "deploy" in done.stderr
    assert "Traceback" not in done.stderr
