"""llama.cpp's own planner on a host, asked as fleet asks it, with the real program."""

import subprocess

import pytest

from fleet.io.models.headers import ORACLE
from fleet.io.shelltext import placed
from fleet.models.layout import layout
from fleet.models.oracle import arguments, parse
from fleet.models.placement import Model, whole
from fleet.models.room import HOST, Pool
from fleet.models.wish import Wish
from fleet.platforms.base import program
from tests.models.values import MIB, read
from tests.parts import SMOKE, split
from tests.shapes import SHAPES, write

BUILD, SHA = "f" * 16, "5" * 64
WHOLE = f"models/{SHA}/model.gguf"


@pytest.fixture
def root(tmp_path, llama_server):
    """A root with a space in its name, and in it the programs that fleet built."""
    found = tmp_path / "a root"
    (found / "builds" / BUILD).mkdir(parents=True)
    (found / "builds" / BUILD / "bin").symlink_to(llama_server.parent)
    (found / "models" / SHA).mkdir(parents=True)
    return found


def ask(root, words: str, model: str = WHOLE) -> str:
    script = placed(program(ORACLE.format(arguments=words), BUILD=BUILD, MODEL=model), str(root))
    done = subprocess.run(["sh", "-s"], input=script, text=True, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else ""


@pytest.mark.parametrize("name", ["qwen3-8b", "gemma3-27b", "qwen3.5-27b"])
def test_the_planner_and_the_formula_say_the_same(root, name):
    path = write(root / "models" / SHA / "model.gguf", SHAPES[name], layers=4)
    known, wish = layout(read(path)), Wish(8192, 2, unified=False)
    said = parse(ask(root, arguments(wish, 8192)), known, wish)[HOST]
    formula = whole(Model(known, wish), (Pool(HOST, "", None, None),)).host
    for mine, theirs in ((formula.weights, said.weights), (formula.kv, said.kv)):
        assert 0 <= mine - theirs < MIB  # it prints whole MiB, rounded down
    assert abs(formula.compute - said.compute) < 0.02 * formula.compute


def test_a_planner_that_fails_says_nothing(root):
    (root / "models" / SHA / "model.gguf").write_text("not a model")
    assert ask(root, arguments(Wish(4096, 1), 4096)) == ""
    assert ask(root, "--no-such-flag") == ""


def test_a_model_of_several_files_is_planned_from_its_first(root):
    """The folder of a set, as gather.sh links it."""
    folder = root / "models" / "sets" / SHA
    folder.mkdir(parents=True)
    files = split(root)
    names = [f"model-{number:05}-of-{len(files):05}.gguf" for number in range(1, len(files) + 1)]
    for file, name in zip(files, names, strict=True):
        file.rename(folder / name)
    known, wish = layout(read(SMOKE)), Wish(512, 1, unified=True)
    said = parse(ask(root, arguments(wish, 512), f"models/sets/{SHA}/{names[0]}"), known, wish)
    assert said is not None
    assert 0 <= known.sums.total - said[HOST].weights < MIB
