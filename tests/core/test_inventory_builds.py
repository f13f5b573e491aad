"""How llama.cpp is to be built for a host, and whose devices it is to use: judged with the file."""

import tomllib
from typing import Any

import pytest

from fleet.core.errors import InventoryError
from fleet.core.inventory import Inventory, parse
from fleet.io.inventory.shelves import CHECK, judge, options

HOST = '[hosts.mac]\naddress = "x"\n'
PRIVATE = 'defaults.private_networks = ["10.0.0.0/8"]\n'
RPC = HOST + 'backend = "rpc"\n'


def read(text: str, **how: Any) -> Inventory:
    return parse(tomllib.loads(text), "inventory.toml", judge, CHECK, options)


def wrong(text: str) -> InventoryError:
    with pytest.raises(InventoryError) as error:
        read(text)
    return error.value


def test_options_of_a_host_are_added_to_those_of_the_defaults_and_win():
    found = read(
        "[defaults.cmake]\nGGML_LTO = true\nGGML_CCACHE = false\n"
        + HOST
        + "cmake = { GGML_LTO = false, GGML_BLAS = true }\n[hosts.other]\naddress = 'y'\nportable = true\n"
    )
    assert found.hosts["mac"].cmake == {"GGML_LTO": False, "GGML_CCACHE": False, "GGML_BLAS": True}
    assert found.hosts["other"].cmake == {"GGML_LTO": True, "GGML_CCACHE": False}
    assert (found.hosts["mac"].portable, found.hosts["other"].portable) == (False, True)


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        (
            HOST + "cmake = { GGML_HIPBLAS = true }",
            "hosts.mac.cmake: GGML_HIPBLAS: the backend decides it",
            'backend = "hip" instead',
        ),
        (
            HOST + "cmake = { LLAMA_QUICHE = true }",
            "hosts.mac.cmake: LLAMA_QUICHE: no such option: llama-server speaks HTTP/1.1 only",
            "put nginx or Caddy in front for HTTP/2 and HTTP/3",
        ),
        (
            HOST + "cmake = { GGML_CUDA_GRAFS = true }",
            "hosts.mac.cmake: GGML_CUDA_GRAFS: llama.cpp has no such option",
            "GGML_CUDA_GRAPHS",
        ),
        (
            HOST + 'cmake = { GGML_BLAS_VENDOR = "a\\nb" }',
            "hosts.mac.cmake.GGML_BLAS_VENDOR: should be a line of text without control characters",
            None,
        ),
        (RPC, 'hosts.mac.rpc: required for backend = "rpc"', 'rpc = ["127.0.0.1:50052"]'),
        (
            HOST + 'rpc = ["127.0.0.1:50052"]',
            "hosts.mac.rpc: used by no other backend",
            'set hosts.mac.backend = "rpc"',
        ),
        (
            RPC + 'rpc = ["10.0.0.2:50052"]',
            "hosts.mac.rpc: 10.0.0.2 is neither loopback nor in private_networks, and RPC has no password",
            "add its network to defaults.private_networks, if nobody else is in it",
        ),
        (
            PRIVATE + RPC + 'rpc = ["0.0.0.0:50052"]',
            "hosts.mac.rpc: 0.0.0.0 is neither loopback nor in private_networks, and RPC has no password",
            None,
        ),
        (RPC + 'rpc = ["gpu-box:50052"]', "hosts.mac.rpc: 'gpu-box:50052' should be \"ADDRESS:PORT\"", None),
    ],
)
def test_a_mistake_is_named_with_its_place_and_its_remedy(text, what, remedy):
    error = wrong(text)
    assert what in str(error)
    assert remedy is None or error.next == remedy


def test_devices_are_lent_on_this_machine_and_in_private_networks():
    found = read(PRIVATE + RPC + 'rpc = ["127.0.0.1:50052", "[::1]:50052", "10.0.0.2:50052"]')
    assert found.hosts["mac"].rpc == ("127.0.0.1:50052", "[::1]:50052", "10.0.0.2:50052")


def test_all_that_is_wrong_with_options_is_told_at_once():
    error = wrong(HOST + "cmake = { GGML_AVX512 = true, LLAMA_CUBLAS = true, GGML_X = 1 }")
    assert all(name in str(error) for name in ("GGML_AVX512", "LLAMA_CUBLAS", "GGML_X"))
