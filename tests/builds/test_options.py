"""CMake options from old pages: translated, dropped with a word, or refused with the reason."""

from dataclasses import replace

import pytest

from fleet.builds.option_names import BASELINE, COMPUTES, DROPPED, INSTRUCTIONS, KNOWN, REFUSED, RENAMED
from fleet.builds.options import judge, translate
from fleet.core.errors import PlanError
from fleet.core.facts import Cpu
from tests.builds.values import LAPTOP

AVX2 = ("sse4_2", "avx", "avx2", "bmi2", "fma", "f16c")
AVX512 = (*AVX2, "avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw", "avx512_vnni", "amx_tile")


def of(cmake, backend="cpu", portable=False, facts=LAPTOP):
    return translate(cmake, backend, portable, facts)


def on(*flags):
    return replace(LAPTOP, cpu=Cpu("Some CPU", 8, 0, 16, flags))


@pytest.mark.parametrize(
    ("written", "value", "options", "note"),
    [
        ("GGML_CUDA_FORCE_MMQ", True, {"GGML_CUDA_FORCE_MMQ": "ON"}, None),
        ("-DGGML_LTO", "on", {"GGML_LTO": "ON"}, None),
        ("GGML_LTO:BOOL", 0, {"GGML_LTO": "OFF"}, None),
        ("GGML_SCHED_MAX_COPIES", 1, {"GGML_SCHED_MAX_COPIES": "1"}, None),
        ("CMAKE_CUDA_ARCHITECTURES", "86;89", {"CMAKE_CUDA_ARCHITECTURES": "86;89"}, None),
        ("LLAMA_OPENSSL", True, {"LLAMA_OPENSSL": "ON"}, None),
        ("LLAMA_NATIVE", True, {"GGML_NATIVE": "ON"}, "LLAMA_NATIVE is called GGML_NATIVE today"),
        ("LLAMA_SYCL_F16", True, {"GGML_SYCL_F16": "ON"}, "LLAMA_SYCL_F16 is called GGML_SYCL_F16 today"),
        ("LLAMA_CUDA_FORCE_MMQ", True, {"GGML_CUDA_FORCE_MMQ": "ON"},
         "LLAMA_CUDA_FORCE_MMQ is called GGML_CUDA_FORCE_MMQ today"),
        ("AMDGPU_TARGETS", "gfx1100", {"GPU_TARGETS": "gfx1100"},
         "AMDGPU_TARGETS is called GPU_TARGETS today"),
        ("LLAMA_CUDA_F16", True, {},
         "LLAMA_CUDA_F16 is left out: half precision is chosen at run time since August 2025 (PR 15433)"),
        ("GGML_CUDA_F16", True, {},
         "GGML_CUDA_F16 is left out: half precision is chosen at run time since August 2025 (PR 15433)"),
        ("LLAMA_CURL", True, {},
         "LLAMA_CURL is left out: libcurl left llama.cpp in January 2026 (b7736); fleet fetches models"),
    ],
)  # fmt: skip
def test_an_option_is_written_as_llama_cpp_calls_it_today(written, value, options, note):
    found, notes = of({written: value})
    assert found == options
    assert notes == (() if note is None else (note,))
    assert judge({written: value}) == []


def test_native_off_is_translated_too_although_llama_cpp_would_ignore_it():
    found, notes = of({"LLAMA_NATIVE": False}, facts=on(*AVX2))
    assert found == {"GGML_NATIVE": "OFF"}
    assert notes == ("LLAMA_NATIVE is called GGML_NATIVE today",)


@pytest.mark.parametrize(
    ("written", "backend"),
    [
        *(
            ("DGGML_HIPBLAS", "hip"),
            ("-DDGGML_HIPBLAS", "hip"),
            ("GGML_HIPBLAS", "hip"),
            ("LLAMA_HIPBLAS", "hip"),
        ),
        *(("LLAMA_CUBLAS", "cuda"), ("LLAMA_CUDA", "cuda"), ("LLAMA_METAL", "metal"), ("LLAMA_RPC", "rpc")),
        *(("LLAMA_SYCL", "sycl"), ("GGML_VULKAN", "vulkan")),
    ],
)
def test_a_backend_is_chosen_by_its_own_key_and_never_by_an_option(written, backend):
    (error,) = judge({written: True})
    assert error == f'{written}: the backend decides it -> backend = "{backend}" instead'
    assert judge({written: True}, "cpu") == [error]
    assert judge({written: True}, backend) == []
    found, notes = of({written: True}, backend)
    assert found == {}
    assert notes[-1].endswith(f'is left out: backend = "{backend}" says it')
    assert of({written: False}, "cpu")[0] == {}


@pytest.mark.parametrize(
    ("cmake", "what"),
    [
        ({"LLAMA_QUICHE": True},
         ("LLAMA_QUICHE: no such option: llama-server speaks HTTP/1.1 only"
         " -> put nginx or Caddy in front for HTTP/2 and HTTP/3")),
        ({"GGML_AVX512": True},
         "GGML_AVX512: ignored by llama.cpp while GGML_NATIVE is on -> GGML_NATIVE = false beside it"),
        ({"GGML_CUDA_FORCE_MQM": True},
         ("GGML_CUDA_FORCE_MQM: llama.cpp has no such option, and would ignore it without a word"
         " -> GGML_CUDA_FORCE_MMQ")),
        ({"GGML_CANN": True}, "GGML_CANN: fleet has no backend for it, and could not prove that it is used"),
        ({"GGML_CPU_ALL_VARIANTS": True}, "GGML_CPU_ALL_VARIANTS: fleet sets it itself -> portable = true"),
        ({"BUILD_SHARED_LIBS": True}, "BUILD_SHARED_LIBS: fleet sets it itself -> portable = true"),
        ({"LLAMA_USE_PREBUILT_UI": True},
         ("LLAMA_USE_PREBUILT_UI: it makes the build download something, and builds here are offline"
         " and the same everywhere")),
        ({"GGML_LTO": "perhaps"}, "GGML_LTO: should be true or false"),
        ({"CMAKE_INSTALL_PREFIX": "/x"},
         "CMAKE_INSTALL_PREFIX: fleet sets it itself: it finds the programs where llama.cpp puts them"),
        ({"rm -rf": True}, "rm -rf: not the name of a CMake option"),
        ({"LLAMA_LTO": True, "GGML_LTO": True}, "GGML_LTO: says the same as LLAMA_LTO: keep one"),
    ],
)  # fmt: skip
def test_what_would_mislead_is_refused_with_the_reason(cmake, what):
    assert judge(cmake) == [what]
    with pytest.raises(PlanError) as error:
        of(cmake)
    assert what.startswith(error.value.what)
    assert "under [hosts.laptop]" in error.value.next


def test_instructions_are_asked_for_only_where_the_processor_has_them():
    cmake = {"GGML_NATIVE": False, "GGML_AVX512": True, "GGML_AMX_TILE": True}
    assert of(cmake, facts=on(*AVX512))[0] == {
        "GGML_NATIVE": "OFF",
        "GGML_AVX512": "ON",
        "GGML_AMX_TILE": "ON",
    }
    with pytest.raises(PlanError) as error:
        of(cmake, facts=on(*AVX2))
    assert error.value.what == (
        "GGML_AVX512: Some CPU has no avx512f, avx512cd, avx512vl, avx512dq, avx512bw"
    )
    assert error.value.next == "GGML_AVX512 = false, in cmake under [hosts.laptop]"
    with pytest.raises(PlanError, match="GGML_AVX2: Some CPU has no avx2"):
        of({"GGML_NATIVE": False}, facts=on("sse4_2", "avx", "bmi2", "fma", "f16c"))


def test_a_portable_build_is_for_no_processor_in_particular():
    assert judge({"GGML_NATIVE": True}, portable=True)
    assert judge({"GGML_NATIVE": False, "GGML_AVX512": True}, portable=True)
    assert judge({"CMAKE_CXX_FLAGS": "-O3 -march=znver4"}, portable=True)
    assert judge({"CMAKE_CXX_FLAGS": "-O3"}, portable=True) == []


def test_the_tables_do_not_contradict_one_another():
    assert not KNOWN & DROPPED.keys()
    assert not RENAMED.keys() & (KNOWN | DROPPED.keys() | REFUSED.keys())
    assert set(BASELINE) <= INSTRUCTIONS.keys() <= KNOWN
    assert not COMPUTES & REFUSED.keys()


def test_an_option_that_is_like_no_other_gets_no_stranger_proposed():
    (error,) = judge({"LLAMA_FLASH_ATTN": True})
    assert error.endswith("-> leave out LLAMA_FLASH_ATTN")
