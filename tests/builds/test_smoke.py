"""The model of random weights that fleet ships."""

import importlib.util
from importlib import resources
from pathlib import Path

import gguf

SHIPPED = Path(str(resources.files("fleet.builds").joinpath("smoke.gguf")))
SCRIPT = Path(__file__).parents[2] / "tools/make_smoke_gguf.py"


def test_the_script_in_the_repository_makes_the_file_that_is_shipped():
    spec = importlib.util.spec_from_file_location("make_smoke_gguf", SCRIPT)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.smoke() == SHIPPED.read_bytes()


def test_it_is_small_and_an_honest_gguf():
    assert SHIPPED.stat().st_size < 2**20
    reader = gguf.GGUFReader(SHIPPED)
    assert reader.get_field("general.architecture").contents() == "llama"
    assert len(reader.get_field("tokenizer.ggml.tokens").contents()) % 32 == 0
    assert {tensor.tensor_type.name for tensor in reader.tensors} == {"Q8_0", "F32"}
