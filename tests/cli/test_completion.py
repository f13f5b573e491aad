"""What Tab offers is what the command tree knows, without waking it."""

import json
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from fleet.cli import Tree
from fleet.completion import Known, index
from tests.cli.test_startup import HEAVY

LINES = [
    ([], ""),
    ([], "de"),
    ([], "--in"),
    (["host"], ""),
    (["host", "trust"], "--"),
    (["deploy"], "--"),
    (["--json", "status"], "--ev"),
    (["completion"], ""),
    (["status", "--host"], "r"),
    (["--host"], "l"),
    (["logs"], "ch"),
]


def offered(tree: object, words: list[str], incomplete: str) -> list[tuple[str, str | None]]:
    found = ShellComplete(tree, {}, "fleet", "_FLEET_COMPLETE").get_completions(list(words), incomplete)  # type: ignore[arg-type]
    return [(item.value, item.help) for item in found if item.value != "--help"]


@pytest.mark.parametrize(("words", "incomplete"), LINES, ids=lambda value: " ".join(value) or "nothing")
def test_the_index_offers_what_the_verbs_themselves_would(words, incomplete, tmp_path):
    known = offered(Known(index(tmp_path), name="fleet"), words, incomplete)
    assert sorted(known) == sorted(offered(Tree(), words, incomplete))


def test_the_index_is_made_once_and_a_damaged_one_again(tmp_path):
    first = index(tmp_path)
    (file,) = tmp_path.iterdir()
    before = file.stat().st_ino
    assert index(tmp_path) == first
    assert file.stat().st_ino == before
    file.write_text("{")
    assert index(tmp_path) == first
    assert json.loads(next(tmp_path.iterdir()).read_text()) == first


def test_a_verb_that_is_none_is_no_error_at_a_key(tmp_path):
    names = [name for name, _ in offered(Known(index(tmp_path), name="fleet"), ["nonsense"], "")]
    assert "deploy" in names


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("")
    assert index(tmp_path / "file")["members"]["deploy"]["help"]


def test_a_key_wakes_no_verb(tmp_path):
    index(tmp_path / "fleet")
    program = (
        "import json, sys\nfrom fleet.__main__ import main\ntry:\n    main()\n"
        "except SystemExit:\n    print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    environ = {"_FLEET_COMPLETE": "bash_complete", "COMP_WORDS": "fleet deploy --pr", "COMP_CWORD": "2"}
    homes = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ | homes, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["plain,--prune"]
    modules = set(json.loads(done.stderr))
    assert not {name.partition(".")[0] for name in modules} & HEAVY
    if sys.platform != "darwin":  # whose cache folder no variable moves
        assert not any(name.startswith(("fleet.commands", "fleet.cli")) for name in modules)
