"""Headers of GGUF files: whole, cut off, damaged and hostile."""

import random
import struct
from pathlib import Path

import gguf as public
import numpy
import pytest

from fleet.core.errors import PlanError
from fleet.models import gguf
from fleet.models.gguf import Header, Short, header
from fleet.models.packing import TYPES


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key: str, kind: int, data: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + data


def file(*pairs: bytes, tensors: bytes = b"", count: int = 0, version: int = 3, data: int = 0) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, count, len(pairs)) + b"".join(pairs) + tensors
    return head + bytes(-len(head) % 32 + data if count else 0)


def tensor(shape=(32,), kind=0, offset=0) -> bytes:
    return text("t") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def read(data: bytes) -> Header:
    return header(data, len(data))


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> bytes:
    """A model that the public library writes."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = public.GGUFWriter(path, "llama")
    writer.add_name("tiny \x1b[31mred\u202e")
    writer.add_context_length(2048)
    writer.add_block_count(2)
    writer.add_head_count_kv([1, 2])
    writer.add_file_type(15)
    writer.add_token_list([f"token {n}" for n in range(500)])
    writer.add_tensor("a", numpy.zeros((4, 32), numpy.float32))
    writer.add_tensor("b", numpy.zeros((3, 32), numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def test_a_header_says_what_the_model_is(written):
    found = read(written)
    assert (found.architecture, found.split_count, found.tensors) == ("llama", 1, 2)
    assert (found.number("context_length"), found.number("block_count")) == (2048, 2)
    assert found.values["llama.attention.head_count_kv"] == (1, 2)
    assert found.weights == 4 * 32 * 4 + 3 * 32 * 2
    assert found.length < found.end <= len(written)


def test_text_in_a_header_is_harmless(written):
    assert read(written).name == "tiny �[31mred�"


def test_long_lists_are_not_kept(written):
    assert "tokenizer.ggml.tokens" not in read(written).values


def test_the_beginning_of_a_file_says_how_much_more_is_needed(written):
    need, steps = 4, 0
    while True:
        try:
            found = header(written[:need], len(written))
            break
        except Short as short:
            assert need < short.need <= len(written)
            need, steps = short.need, steps + 1
    assert found == read(written)
    assert need <= found.length
    assert steps < 2000


@pytest.mark.parametrize("missing", [1, 32, 190, 300])
def test_a_file_that_was_cut_off_is_recognised(written, missing):
    with pytest.raises(PlanError, match="the model is cut off"):
        read(written[: read(written).end - missing])


def test_every_cut_inside_the_header_is_an_error_and_never_a_header(written):
    length = read(written).length
    for size in range(0, length, 7):
        with pytest.raises(PlanError, match=r"cut off|not a GGUF"):
            read(written[:size])


def test_sizes_of_types_are_those_of_the_public_library():
    assert {int(kind): size for kind, size in public.GGML_QUANT_SIZES.items()} == TYPES


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not a GGUF file: it has 0 bytes"),
        (b"GG", "not a GGUF file: it has 2 bytes"),
        (b"GGUF", "cut off"),
        (b"<!doctype html><html>", "not a GGUF file: it begins with '<!do'"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not a GGUF file"),
        (b"PK\x03\x04" + bytes(90), "not a GGUF file"),
        (b"\x80\x02}q" + bytes(90), "not a GGUF file: it begins with bytes 80 02 7d 71"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(90), "big-endian"),
        (file(version=1), "version 1, which llama.cpp no longer reads"),
        (file(version=4), "version 4, newer"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "claims"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "claims"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 63) + bytes(40), "a name of"),
        (file(pair("a", 99, b"")), "unknown type 99"),
        (file(pair("a", 8, struct.pack("<Q", 1 << 62))), "cut off"),
        (file(pair("a", 9, struct.pack("<IQ", 4, 1 << 62))), "cut off"),
        (file(pair("a", 9, struct.pack("<IQ", 8, 1 << 62))), "cut off"),
        (file(pair("a", 9, struct.pack("<IQ", 8, 9))), "cut off"),
        (file(pair("a", 9, struct.pack("<IQ", 9, 1 << 62))), "unknown type 9"),
        (file(pair("general.alignment", 4, struct.pack("<I", 0))), "aligned to 0"),
        (file(pair("general.alignment", 4, struct.pack("<I", 33))), "aligned to 33"),
        (file(pair("general.alignment", 8, text("x"))), "aligned to 'x'"),
        (file(tensors=tensor((1,) * 5), count=1), "5 dimensions"),
        (file(tensors=tensor((1 << 62, 1 << 62)), count=1), "lies where none can be"),
        (file(tensors=tensor(offset=7), count=1, data=999), "lies where none can be"),
        (file(tensors=tensor((1 << 40,)), count=1), "cut off"),
    ],
)
def test_what_is_no_model_is_refused_with_the_reason(data, what):
    with pytest.raises(PlanError) as caught:
        read(data)
    assert what in caught.value.what
    assert caught.value.next


def test_a_short_file_that_claims_endless_arrays_of_arrays_is_refused():
    data = file(pair("a", 9, struct.pack("<IQ", 9, 1 << 62) + struct.pack("<IQ", 9, 1 << 62)))
    assert len(data) < 70
    with pytest.raises(PlanError, match="unknown type 9"):
        read(data)


def test_a_type_that_is_unknown_leaves_the_weights_unknown():
    assert read(file(tensors=tensor(kind=77), count=1, data=8)).weights is None


def test_versions_2_and_3_read_alike():
    assert read(file(version=2)).values == read(file()).values


def test_a_model_in_several_files_says_so():
    assert read(file(pair("split.count", 2, struct.pack("<H", 3)))).split_count == 3


def test_ten_thousand_broken_headers_are_refused_or_read_within_their_bounds(written):
    dice = random.Random(4711)
    prefix = written[: read(written).length]
    refused = 0
    for _ in range(10_000):
        data = bytearray(prefix[: 700 + dice.randrange(len(prefix) - 700)] if dice.random() < 0.3 else prefix)
        for _ in range(dice.choice((1, 1, 2, 8))):
            at = dice.randrange(min(len(data), 900))
            width = dice.choice((1, 4, 8))
            value = dice.choice((0, 1, 255, 1 << 31, (1 << 63) - 1, (1 << 64) - 1, dice.getrandbits(64)))
            data[at : at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
        try:
            found = header(bytes(data), len(written))
        except Short as short:
            assert len(data) < short.need <= len(written)
        except PlanError as error:
            refused += 1
            assert len(str(error)) < 400
        else:
            assert found.length <= found.end <= len(written)
    assert refused > 3000


def test_the_work_is_bounded_by_the_length_of_the_file():
    # As many strings as fit, and one more: they are counted before they are walked over.
    count = 100_000
    strings = pair("a", 9, struct.pack("<IQ", 8, count) + bytes(8 * count))
    assert read(file(strings)).tensors == 0
    with pytest.raises(PlanError, match="cut off"):
        read(file(pair("a", 9, struct.pack("<IQ", 8, count + 9) + bytes(8 * count))))
    with pytest.raises(PlanError, match="strings"):
        header(file(pair("a", 9, struct.pack("<IQ", 8, gguf.MOST_STRINGS + 1))), 1 << 40)


def test_a_header_is_never_asked_for_beyond_its_cap():
    data = file(pair("a", 8, struct.pack("<Q", 1 << 32)))
    with pytest.raises(PlanError, match="longer than"):
        header(data, 1 << 40)


def test_the_shipped_smoke_model_reads():
    shipped = Path(gguf.__file__).parents[1] / "builds" / "smoke.gguf"
    found = read(shipped.read_bytes())
    assert found.end <= shipped.stat().st_size
    assert found.architecture == "llama"
