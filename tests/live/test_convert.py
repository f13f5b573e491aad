"""Conversions for real: llama.cpp's own converter and tools on a real host, then its server."""

import json
import signal

import pytest

from tests import tiny_llama
from tests.controller import BUILD_DEADLINE, SMOKE, compiling, share_compilations
from tests.live.sites import Site

TYPES = ("Q4_K_M", "Q5_K_M", "Q8_0")


@pytest.fixture
def site(embedded, controllers):
    host = embedded.up(["m"])["m"]
    share_compilations(host.home)
    controller = controllers()
    controller.write([host], servers={})
    controller.folder.joinpath("calibration.txt").write_text(tiny_llama.text(6000))
    controller.folder.joinpath("check.txt").write_text(tiny_llama.text(5000, seed=8))
    return Site(controller, host)


def convert(source, *words):
    texts = ("--imatrix", "calibration.txt", "--check", "check.txt")
    return "models", "convert", source, "--to", ",".join(TYPES), *texts, *words


def base(folder):
    """A GGUF of F16, as the converter would make it of the tiny Llama."""
    path = folder / "tiny-f16.gguf"
    tiny_llama.write_gguf(path)
    return path


def test_a_gguf_of_16_bits_becomes_three_types_with_a_measured_loss_and_a_second_run_does_nothing(site):
    source = f"file:{base(site.controller.folder)}"
    words = convert(source, "--json")
    planned = site.controller.well(*words, "--dry-run").json
    assert [step["title"] for step in planned["steps"] if "send tiny" in step["title"]] == []
    assert not (site.root / "conversions").exists()
    with compiling():
        made = site.controller.well(*words, "--yes", deadline=BUILD_DEADLINE).json
    (model,) = made["models"]
    files = {file["type"]: file for file in model["files"]}
    assert tuple(files) == TYPES
    sizes = [files[name]["bytes"] for name in TYPES]
    assert sizes == sorted(sizes)
    for file in files.values():
        assert abs(file["bytes"] / file["predicted_bytes"] - 1) < 0.10
        assert file["kld"]["value"] > 0 and file["ppl"]["value"] > 1 and file["bits"] > 4
        assert (site.root / "models" / file["sha256"] / "model.gguf").stat().st_size == file["bytes"]
    # More bits lose less: the table is one of this very model.
    assert files["Q8_0"]["kld"]["value"] < files["Q5_K_M"]["kld"]["value"] < files["Q4_K_M"]["kld"]["value"]
    left = {path.name for path in (site.root / "conversions").glob("*/*")}
    assert not [name for name in left if name.endswith((".gguf", ".kld", ".tmp", ".txt"))]
    again = site.controller.well(*words, "--yes").json
    assert again["steps"] == []
    assert again["models"] == made["models"]


def test_a_killed_conversion_goes_on_where_it_was_and_its_model_is_served(site):
    words = convert(f"file:{base(site.controller.folder)}", "--yes", "--jsonl")
    run = site.controller.start(*words)
    assert run.stdout
    for line in run.stdout:
        event = json.loads(line)
        if event["event"] == "step_done" and event["step"].endswith("quantise to Q4_K_M"):
            break
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)
    again = site.controller.well(*words)
    done = [event["step"] for event in again.events("step_done")]
    assert not [step for step in done if "build llama.cpp" in step or "send base.gguf" in step]
    assert "tiny: quantise to Q4_K_M" not in done
    assert served(site, site.controller.well(*convert(words[2], "--json")).json)


def served(site, made) -> str:
    """Deploys the smallest of the types, as the conversion says how, and gives what the server answered."""
    file = made["models"][0]["files"][0]
    model = {"source": f"file:{file['path']}", "sha256": file["sha256"]}
    chat = {"model": "made", "on": [site.name], "context": 256, "parallel": 1}
    site.controller.write([site.host], servers={"chat": chat}, models={"made": model})
    with compiling():
        deployed = site.controller.well("deploy", site.name, "--yes", "--json", deadline=BUILD_DEADLINE).host
    assert not [step for step in deployed["steps"] if "push model" in step["title"]]  # it was made there
    answer = site.controller.well("chat", f"chat@{site.name}", "the", "--max-tokens", "8", "--json").host
    site.controller.well("stop", f"chat@{site.name}", "--yes", "--reason", "the test is over")
    assert answer["tokens"] == 8
    return str(answer["text"])


def test_what_cannot_be_converted_is_refused_before_anything_moves(site, tmp_path):
    folder = tiny_llama.write(tmp_path / "hf")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    pickled = site.controller("models", "convert", f"file:{folder}", "--yes")
    assert pickled.code == 6
    assert "runs code that is in it" in pickled.err
    unknown = site.controller("models", "convert", f"file:{folder}", "--to", "IQ4_XXS")
    assert unknown.code == 2
    assert "-> next: --to IQ4_XS" in unknown.err
    twice = site.controller("models", "convert", f"file:{SMOKE}", "--dry-run")
    assert twice.code == 6
    assert "is quantised already (Q8_0): made smaller again it would lose twice" in twice.err
    assert not (site.root / "conversions").exists()


@pytest.mark.long
def test_a_hugging_face_folder_becomes_three_types_and_is_served(site, tmp_path):
    """Fetches 0.6 GB of Python packages once for a machine, and unpacks 1.3 GB on the host."""
    folder = tiny_llama.write(tmp_path / "Tiny Llama")
    words = convert(f"file:{folder}", "--outtype", "f16", "--json")
    with compiling():
        made = site.controller.well(*words, "--yes", deadline=BUILD_DEADLINE).json
    files = {file["type"]: file for file in made["models"][0]["files"]}
    assert tuple(files) == TYPES
    assert files["Q8_0"]["kld"]["value"] < files["Q5_K_M"]["kld"]["value"] < files["Q4_K_M"]["kld"]["value"]
    # The converter and the test's own writer make the same model.
    ours = site.controller.well(*convert(f"file:{base(site.controller.folder)}", "--json", "--yes")).json
    assert ours["models"][0]["base_ppl"]["value"] == pytest.approx(
        made["models"][0]["base_ppl"]["value"], rel=0.5
    )
    assert site.controller.well(*words, "--yes").json["steps"] == []
    assert served(site, made)

    (folder / "config.json").write_text((folder / "config.json").read_text().replace("LlamaFor", "NoSuchFor"))
    unknown = site.controller("models", "convert", f"file:{folder}", "--to", "Q8_0", "--yes")
    assert unknown.code == 1
    assert "llama.cpp's converter refused: Model NoSuchForCausalLM is not supported" in unknown.err
