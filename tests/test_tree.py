"""The house rules, read off the tree itself."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import printed

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = ("fleet", "tests", "benchmarks", "tools")
MODULES = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))
SHELL = sorted([*(REPOSITORY / "fleet").rglob("*.sh"), *(REPOSITORY / "scripts").rglob("*.sh")])
SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"], ["zsh", "--emulate", "sh"]]
PURE = (
    *("core", "builds", "models", "servers", "watch"),
    *("backends", "platforms", "trees", "sources", "supervisors"),
)
WORLD = set(
    "asyncio concurrent.futures http.client multiprocessing random secrets shutil socket sqlite3 subprocess"
    " tempfile threading time urllib.request".split()
)
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "fleet").rglob("*.md")])
# no address of a package registry, no path of one machine: pip and the user's settings know them
NOT_OURS = re.compile(r"[p]ypi\.org|[p]ythonhosted|(?<![\w}.])/[w]ork/|/[t]mp/w/")
# what macOS, busybox or an old bash does not have
GNU_ONLY = re.compile(
    r"\b(sed -i|readlink -f|date -d|stat -c|tail --pid|mv -T|grep -P|xargs -r|cp -a|cp --|sort -V)\b"
    r"|\[\[ |\bfunction \w+|\bpgrep\b|\becho -[ne]\b"
)


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def imported(path: Path) -> Iterator[str]:
    """Modules that a module imports, but for those that only type checkers see."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node not in for_types:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or ""


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name(path)
        for path in MODULES
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_every_room_says_what_lives_there() -> None:
    silent = [
        name(path)
        for path in sorted((REPOSITORY / "fleet").glob("*/__init__.py"))
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_no_module_is_longer_than_300_lines() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert not {path: length for path, length in lengths.items() if length > 300}


def test_rooms_and_shelves_do_not_touch_the_world() -> None:
    touching = {
        name(path): found
        for room in PURE
        for path in sorted((REPOSITORY / "fleet" / room).rglob("*.py"))
        if (found := WORLD & set(imported(path)))
    }
    assert not touching


def test_planning_imports_no_ssh_and_no_screen() -> None:
    program = (
        "import sys, fleet.commands.deploy, fleet.builds.plan, fleet.models.plan, fleet.servers.plan\n"
        "print(*sorted({'asyncssh', 'httpx', 'textual'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("script", SHELL, ids=name)
def test_shell_is_posix_and_clean(script: Path) -> None:
    shellcheck = shutil.which("shellcheck")
    assert shellcheck, "make test and make check install shellcheck"
    argv = [shellcheck, "-s", "sh", str(script)]
    done = subprocess.run(argv, cwd=REPOSITORY, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", SHELL, ids=name)
def test_shell_uses_only_what_every_host_has(script: Path) -> None:
    lines = [line for line in script.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in lines if GNU_ONLY.search(line)]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_shell_is_read_by_every_kind_of_sh(shell: list[str]) -> None:
    if not shutil.which(shell[0]):
        pytest.skip(f"needs {shell[0]}")
    for script in SHELL:
        done = subprocess.run([*shell, "-n", str(script)], text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_no_patching_in_tests() -> None:
    patching = re.compile(r"\b(monkeypatch|mock|MagicMock)\b")
    others = [path for path in (REPOSITORY / "tests").rglob("*.py") if path != Path(__file__)]
    found = [name(path) for path in others if patching.search(path.read_text())]
    assert not found


def test_no_one_is_caught_by_except_exception() -> None:
    found = [
        f"{name(path)}:{number}"
        for path in (REPOSITORY / "fleet").rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.match(r"\s*except( Exception)?:", line)
    ]
    assert not found


def test_package_data_is_found_by_the_package() -> None:
    """What fleet reads at run time lies below fleet/, so the wheel has it."""
    data = [path for path in (REPOSITORY / "fleet").rglob("*") if path.suffix in (".sh", ".gguf", ".tcss")]
    ignored = subprocess.run(
        ["git", "check-ignore", *map(str, data)], cwd=REPOSITORY, text=True, capture_output=True, check=False
    )
    assert data
    assert not ignored.stdout


def test_nothing_names_a_registry_or_a_path_of_one_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, text=True, capture_output=True, check=False)
    found = []
    for line in listed.stdout.splitlines() or map(name, [*MODULES, *PAGES, *SHELL]):
        path = REPOSITORY / line
        if path.is_file() and b"\0" not in path.read_bytes()[:4096]:
            found += [line] if NOT_OURS.search(path.read_text(errors="replace")) else []
    assert not found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_of_a_page_can_be_typed(page: Path) -> None:
    for command in printed.commands(page.read_text()):
        printed.parse(command)
