"""Which file of a repository a source means, and what is not believed of what a hub says."""

import json

import pytest

from fleet.core.errors import PlanError, ProbeError
from fleet.models import hub
from fleet.sources import base as sources

COMMIT, SHA256, OTHER = "c" * 40, "5" * 64, "6" * 64


def file(name: object, size: object = 10, **lfs: object) -> dict[str, object]:
    return {"rfilename": name, "size": size, "lfs": {"sha256": SHA256, "size": size, "pointerSize": 9} | lfs}


def repository(*files: object, sha: object = COMMIT, source: str = "hf:a/b") -> hub.Listing:
    entries = [file(one) if isinstance(one, str) else one for one in files]
    return hub.listing(json.dumps({"sha": sha, "siblings": entries}).encode(), sources.parse(source))


def chosen(source: str, *files: object) -> str:
    return hub.choose(sources.parse(source), repository(*files)).path


PUBLISHED = (
    "m-BF16.gguf",
    "m-F16.gguf",
    "m-IQ4_XS.gguf",
    "m-Q4_K_M.gguf",
    "m-Q8_0.gguf",
    "mmproj-Q4_K_M.gguf",
)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("hf:a/b:Q4_K_M", "m-Q4_K_M.gguf"),
        ("hf:a/b:q8_0", "m-Q8_0.gguf"),
        ("hf:a/b:F16", "m-F16.gguf"),
        ("hf:a/b:BF16", "m-BF16.gguf"),
        ("hf:a/b", "m-Q4_K_M.gguf"),
        ("hf:a/b/m-IQ4_XS.gguf", "m-IQ4_XS.gguf"),
        ("hf:a/b/mmproj-Q4_K_M.gguf", "mmproj-Q4_K_M.gguf"),
    ],
)
def test_a_source_means_one_file(source, path):
    assert chosen(source, *PUBLISHED) == path


def test_without_a_name_it_is_what_llama_cpp_takes():
    assert chosen("hf:a/b", "z-Q4_K_M.gguf", "a-Q8_0.gguf") == "z-Q4_K_M.gguf"
    assert chosen("hf:a/b", "a-Q2_K.gguf", "z-Q8_0.gguf") == "z-Q8_0.gguf"
    assert chosen("hf:a/b", "b-Q2_K.gguf", "a-Q3_K_M.gguf") == "a-Q3_K_M.gguf"


def test_what_stands_beside_a_model_is_never_taken_for_one():
    beside = ("mmproj-F16.gguf", "MMPROJ-m-Q4_K_M.gguf", "mtp-m-Q4_K_M.gguf", "m-imatrix.gguf")
    assert chosen("hf:a/b", *beside, "x.gguf") == "x.gguf"
    with pytest.raises(PlanError, match="no GGUF file that is a model"):
        chosen("hf:a/b", *beside, "model.safetensors")


def test_several_files_of_a_quantisation_are_named_and_none_is_taken():
    with pytest.raises(PlanError, match="2 files of a/b are Q4_K_M") as caught:
        chosen("hf:a/b@v1:Q4_K_M", "m-Q4_K_M.gguf", "UD/m-UD-Q4_K_M.gguf")
    first, second = 'source = "hf:a/b@v1/UD/m-UD-Q4_K_M.gguf"', 'source = "hf:a/b@v1/m-Q4_K_M.gguf"'
    assert caught.value.next == f"{first} or {second}"


def test_many_files_are_not_all_printed():
    with pytest.raises(PlanError) as caught:
        chosen("hf:a/b:Q4_0", *(f"m{number:03}-Q4_0.gguf" for number in range(300)))
    assert caught.value.next.endswith(" … 294 more")


@pytest.mark.parametrize("source", ["hf:a/b:Q4_K_S", "hf:a/b/m-Q4_K_S.gguf"])
def test_a_missing_file_names_the_nearest(source):
    with pytest.raises(PlanError, match="a/b has no file") as caught:
        chosen(source, *PUBLISHED)
    assert 'source = "hf:a/b/m-Q4_K_M.gguf"' in caught.value.next
    assert "mmproj" not in caught.value.next.partition(" or ")[0]


@pytest.mark.parametrize("source", ["hf:a/b:Q8_0", "hf:a/b/Q8_0/m-00001-of-00002.gguf"])
def test_a_split_model_is_pinned_with_all_its_files(source):
    found = repository("Q8_0/m-00001-of-00002.gguf", "Q8_0/m-00002-of-00002.gguf", "m-Q2_K.gguf")
    pinned = hub.pin(sources.parse(source), found, None)
    assert [one.file for one in pinned.files] == ["Q8_0/m-00001-of-00002.gguf", "Q8_0/m-00002-of-00002.gguf"]
    assert hub.pin(sources.parse(source), found, None, [SHA256, SHA256]) == pinned
    with pytest.raises(PlanError, match="has 2 files, the inventory names the sha256 of 1") as caught:
        hub.pin(sources.parse(source), found, SHA256)
    assert "fleet.lock pins" in caught.value.next
    with pytest.raises(PlanError, match=r"Q8_0/m-00002-of-00002\.gguf has the sha256"):
        hub.pin(sources.parse(source), found, None, [SHA256, OTHER])


def test_a_split_model_that_lacks_a_file_names_it():
    found = repository("m-Q8_0-00001-of-00003.gguf", "m-Q8_0-00003-of-00003.gguf", "m-Q2_K.gguf")
    with pytest.raises(PlanError, match=r"has no file m-Q8_0-00002-of-00003\.gguf") as caught:
        hub.pin(sources.parse("hf:a/b:Q8_0"), found, None)
    assert caught.value.next == 'source = "hf:a/b/m-Q2_K.gguf"'


def test_a_further_file_of_a_split_model_is_refused_by_name():
    found = repository("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")
    with pytest.raises(PlanError, match="it is part 2 of 2 of a model") as caught:
        hub.pin(sources.parse("hf:a/b/m-00002-of-00002.gguf"), found, None)
    assert caught.value.next == "name the first file: m-00001-of-00002.gguf"


def test_a_projector_is_taken_by_its_name_and_a_wrong_one_names_those_there():
    found = repository("m-Q4_K_M.gguf", "mmproj-F16.gguf", "mmproj-BF16.gguf")
    assert hub.pin(sources.parse("hf:a/b/mmproj-F16.gguf"), found, None).file == "mmproj-F16.gguf"
    with pytest.raises(PlanError, match="a/b has no file") as caught:
        hub.pin(sources.parse("hf:a/b/mmproj-model-f16.gguf"), found, None)
    assert set(caught.value.next.split(" or ")) == {
        'source = "hf:a/b/mmproj-F16.gguf"',
        'source = "hf:a/b/mmproj-BF16.gguf"',
    }


def test_a_hash_that_is_wanted_must_be_the_hubs():
    place, found = sources.parse("hf:a/b"), repository("m.gguf")
    assert hub.pin(place, found, SHA256) == hub.pin(place, found, None)
    assert hub.pin(place, found, None) == hub.Pinned(COMMIT, "m.gguf", 10, SHA256)
    with pytest.raises(PlanError, match="wanted is") as caught:
        hub.pin(place, found, OTHER)
    assert caught.value.kind == "wrong-sha256"


def test_a_file_without_a_hash_is_refused():
    found = repository({"rfilename": "m.gguf", "size": 10})
    with pytest.raises(PlanError, match="names no sha256"):
        hub.pin(sources.parse("hf:a/b"), found, None)


@pytest.mark.parametrize(
    "name",
    [
        "../m.gguf", "/m.gguf", "x/../m.gguf", "x//m.gguf", "./m.gguf", "m\n.gguf", "m\t.gguf",
        "m\x1b[2J.gguf", "m\u202e.gguf", "m\ud800.gguf", "x\\m.gguf", "m?.gguf", "m#.gguf",
        "m" * 2000 + ".gguf", "m.bin", "", 7, None, ["m.gguf"],
    ],
)  # fmt: skip
def test_a_name_that_could_lead_elsewhere_is_left_out(name):
    assert repository(file(name)).files == ()


@pytest.mark.parametrize("size", [0, -1, 1 << 60, True, 1.5, "10", None, [], 10**400])
def test_a_size_that_no_file_has_is_left_out(size):
    assert repository(file("m.gguf", size)).files == ()


@pytest.mark.parametrize("entry", [None, 3, "m.gguf.x", [], {}, {"rfilename": "m.gguf"}])
def test_entries_of_other_shapes_are_left_out(entry):
    assert repository(entry, file("n.gguf")).files[0].path == "n.gguf"


@pytest.mark.parametrize("sha256", ["5" * 63, "A" * 64, 5, None, ["x"]])
def test_a_hash_that_is_none_is_unknown(sha256):
    assert repository(file("m.gguf", sha256=sha256)).files[0].sha256 is None


@pytest.mark.parametrize("sha", [None, "main", "C" * 40, "c" * 41, 7, "c" * 39 + "\n"])
def test_a_commit_that_is_none_is_no_answer(sha):
    with pytest.raises(ProbeError, match="no list of files"):
        repository("m.gguf", sha=sha)


def test_another_commit_than_asked_for_is_no_answer():
    with pytest.raises(ProbeError, match="another commit"):
        repository("m.gguf", source=f"hf:a/b@{'d' * 40}")


def test_names_for_suggestions_are_harmless():
    body = json.dumps([{"id": "a/b"}, {"id": "a/\x1b[2J"}, {"id": 3}, 4, {"id": "x" * 999}])
    assert hub.names(body.encode(), key="id") == ["a/b"]
    assert hub.names(b"[" * 99999, key="id") == []
    assert hub.names(b'{"branches": 3}', key="name", tables=("branches", "tags")) == []
