"""Which archive of a release a host gets, by the names that llama.cpp gives them."""

from dataclasses import replace

import pytest

from fleet.builds import assets, plan
from fleet.core.errors import PlanError
from fleet.core.flow import Asset, Tree
from fleet.core.inventory import Host
from fleet.core.plan import Artifact, Put, Run
from tests.builds.values import DESKTOP, LAPTOP, MAC, RTX, WISH, built, without

# as they were published; the numbers behind rocm and cuda change
NAMES = """android-arm64 macos-arm64 macos-x64 ubuntu-arm64 ubuntu-cuda-12.8-x64 ubuntu-cuda-13.4-x64
ubuntu-openvino-2026.4-x64 ubuntu-rocm-10.0-x64 ubuntu-s390x ubuntu-sycl-fp16-x64 ubuntu-sycl-fp32-x64
ubuntu-vulkan-arm64 ubuntu-vulkan-x64 ubuntu-x64 win-cpu-x64 win-cuda-12.4-x64""".split()
PLACE = "https://example.org/b11158/llama-b11158-bin-{}.tar.gz"


def release(*names: str) -> Tree:
    found = tuple(
        Asset(name, PLACE.format(name), f"{number:x}".rjust(64, "0")) for number, name in enumerate(names)
    )
    return Tree("r" * 16, "b11158", 11158, None, Artifact("source", "r" * 16, "b11158", None), assets=found)


ALL = release(*NAMES)


def chosen(facts, wish=WISH, tree=ALL):
    asset, backend, _ = assets.choose(wish, facts, tree.assets)
    return asset.label, backend


@pytest.mark.parametrize(
    ("label", "means"),
    [
        ("ubuntu-x64", ("linux", "x86_64", "cpu", None)),
        ("ubuntu-vulkan-arm64", ("linux", "arm64", "vulkan", None)),
        ("ubuntu-rocm-7.2-x64", ("linux", "x86_64", "hip", "7.2")),
        ("ubuntu-cuda-13.4-x64", ("linux", "x86_64", "cuda", "13.4")),
        ("ubuntu-sycl-fp16-x64", ("linux", "x86_64", "sycl", "fp16")),
        ("macos-arm64", ("macos", "arm64", "metal", None)),
        ("macos-x64", ("macos", "x86_64", "cpu", None)),
        ("win-cuda-12.4-x64", None),
        ("ubuntu-openvino-2026.4-x64", None),
        ("android-arm64", None),
        ("", None),
    ],
)
def test_a_name_means(label, means):
    found = assets.kind(label)
    assert (found and (found.os, found.arch, found.backend, found.version)) == means


def test_each_host_gets_the_archive_made_for_it():
    assert chosen(LAPTOP) == ("ubuntu-x64", "cpu")
    assert chosen(replace(LAPTOP, arch="arm64")) == ("ubuntu-arm64", "cpu")
    assert chosen(MAC) == ("macos-arm64", "metal")


def test_cuda_is_taken_in_the_newest_version_that_the_driver_knows_and_needs_no_toolkit():
    driver = replace(without(DESKTOP, "nvcc", "c++"), gpus=(replace(RTX, runtime="12.9"),))
    assert chosen(driver) == ("ubuntu-cuda-12.8-x64", "cuda")
    assert chosen(replace(driver, gpus=(replace(RTX, runtime="13.4"),))) == ("ubuntu-cuda-13.4-x64", "cuda")


def test_a_gpu_without_an_archive_is_not_quietly_given_to_the_processor():
    tree = release("ubuntu-x64")
    with pytest.raises(PlanError, match="RTX 4070 cannot be used: the release has no archive of it") as error:
        assets.choose(WISH, DESKTOP, tree.assets)
    assert 'set backend = "cpu" under [hosts.rtx]' in error.value.next
    assert chosen(DESKTOP, Host(address="x", backend="cpu"), tree) == ("ubuntu-x64", "cpu")


def test_vulkan_is_taken_where_the_release_has_no_cuda():
    tree = release("ubuntu-x64", "ubuntu-vulkan-x64")
    asset, backend, notes = assets.choose(WISH, DESKTOP, tree.assets)
    assert (asset.label, backend) == ("ubuntu-vulkan-x64", "vulkan")
    assert "NVIDIA CUDA is not used: the release has no archive of it" in notes


def test_a_host_that_borrows_devices_gets_the_binaries_for_the_processor():
    """Every release is made with GGML_RPC."""
    assert chosen(LAPTOP, Host(address="x", backend="rpc", rpc=("127.0.0.1:50052",))) == ("ubuntu-x64", "rpc")


def test_a_backend_that_was_asked_for_is_not_replaced():
    with pytest.raises(PlanError, match="has no archive for linux x86_64 with cuda") as error:
        chosen(DESKTOP, Host(address="x", backend="cuda"), release("ubuntu-x64"))
    assert "take backend out of [hosts.rtx]" in error.value.next


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (replace(LAPTOP, arch="riscv64"), "is for linux riscv64"),
        (replace(LAPTOP, libc="musl 1.2.4"), "is for linux x86_64 with musl"),
    ],
    ids=["processor", "musl"],
)
def test_a_host_that_no_archive_is_for_is_told_which_there_are(facts, said):
    with pytest.raises(PlanError, match=said) as error:
        chosen(facts)
    assert "ubuntu-vulkan-x64" in error.value.what
    assert "[llama_cpp.assets]" in error.value.next


def test_a_single_archive_is_judged_by_its_file_name():
    def only(name):
        return assets.choose(WISH, LAPTOP, (Asset("", f"/srv/{name}", "a" * 64),))

    assert only("llama-b11434-bin-ubuntu-x64.zip")[1:] == ("cpu", ())
    with pytest.raises(PlanError, match="no archive of the release is for linux x86_64"):
        only("llama-b11434-bin-macos-arm64.tar.gz")
    assert only("mine.zip")[1] == "cpu"
    assert "does not say what it computes with" in only("mine.zip")[2][0]


def test_the_steps_send_prove_and_need_no_tools():
    bare = without(LAPTOP, "c++", "cmake", "ninja")
    steps, notes = plan.steps("laptop", WISH, bare, ALL)
    assert [type(step.action) for step in steps] == [Put, Put, Run]
    assert steps[0].action.artifact.kind == "prebuilt"
    assert "finished binaries are taken: llama-b11158-bin-ubuntu-x64.tar.gz" in notes
    made, _ = plan.recipe_for(WISH, bare, ALL)
    assert plan.steps("laptop", WISH, built(bare, made.fingerprint), ALL)[0] == ()
