"""Models in buckets of a real S3 server: pinned, fetched, moved."""

import hashlib
import random

import pytest

from tests.io.buckets import SOURCE, assert_silent, kept, locked, write
from tests.io.controllers import GGUF, SHA256
from tests.parts import split

LARGE = GGUF + random.Random(3).randbytes(24 << 20)


@pytest.fixture
def fleet(s3):
    return s3


def test_the_sha256_that_a_bucket_names_is_pinned_without_a_byte_of_the_object(fleet, storage):
    first = fleet.well("models", "pin", "tiny", "--json").json["model"]
    assert (first["sha256"], first["bytes"], first["changed"]) == (SHA256, len(GGUF), True)
    etag = f'"{hashlib.md5(GGUF, usedforsecurity=False).hexdigest()}"'
    assert locked(fleet) == {SOURCE: {"sha256": SHA256, "size": len(GGUF), "marks": {"etag": etag}}}
    assert "sha256" not in fleet.inventory.read_text()
    assert [line.split()[0] for line, _ in storage.relay.asked] == ["HEAD"]
    assert "nothing to do" in fleet.well("models", "pin", "tiny").out


def test_an_object_is_fetched_verified_and_kept_and_no_credential_is_seen(fleet, storage):
    ended = fleet.well("models", "pull", "tiny")
    assert kept(fleet) == [f"{SHA256}.gguf"]
    assert f"fetching {SOURCE}, " in ended.err
    assert_silent(fleet, ended)
    before = len(storage.relay.asked)
    fleet.well("models", "pull", "tiny")
    assert len(storage.relay.asked) == before


def test_an_object_without_a_named_sha256_is_learned_when_it_is_fetched(fleet, storage):
    storage.put("tiny/tiny-Q4_K_M.gguf", GGUF, is_named=False)
    assert fleet.well("models", "pin", "tiny", "--json").json["model"]["sha256"] == SHA256
    assert locked(fleet)[SOURCE]["sha256"] == SHA256
    asked = len(storage.relay.gets())
    assert "nothing to do" in fleet.well("models", "pin", "tiny").out
    assert len(storage.relay.gets()) == asked


def test_the_hash_over_the_parts_of_an_upload_is_not_taken_for_that_of_the_object(fleet, storage):
    where = {"Bucket": "models", "Key": "tiny/tiny-Q4_K_M.gguf"}
    upload = storage.s3.create_multipart_upload(**where, ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, data in enumerate((LARGE[: 5 << 20], LARGE[5 << 20 :]), 1):
        found = storage.s3.upload_part(
            **where, UploadId=upload, PartNumber=number, Body=data, ChecksumAlgorithm="SHA256"
        )
        parts.append({"PartNumber": number, "ETag": found["ETag"], "ChecksumSHA256": found["ChecksumSHA256"]})
    storage.s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    pinned = fleet.well("models", "pin", "tiny", "--json").json["model"]
    assert pinned["sha256"] == hashlib.sha256(LARGE).hexdigest()


def test_a_sha256_of_the_inventory_is_compared_before_a_byte_moves(fleet, storage):
    write(fleet, SOURCE, f'sha256 = "{"0" * 64}"')
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, f'sha256 = "{SHA256}"' in ended.out) == (6, True), ended
    assert storage.relay.gets() == []
    write(fleet, SOURCE, f'sha256 = "{SHA256}"')
    fleet.well("models", "pull", "tiny")
    assert not (fleet.folder / "fleet.lock").exists()
    storage.put("tiny/tiny-Q4_K_M.gguf", GGUF + b"more")
    assert fleet.well("models", "pin", "tiny", "--json").json["model"]["changed"]
    assert hashlib.sha256(GGUF + b"more").hexdigest() in fleet.inventory.read_text()


def test_several_connections_fetch_one_object(fleet, storage):
    storage.put("large.gguf", LARGE)
    write(fleet, "s3:models/large.gguf", defaults="connections = 4")
    fleet.well("models", "pull", "tiny")
    assert kept(fleet) == [f"{hashlib.sha256(LARGE).hexdigest()}.gguf"]
    assert len(set(storage.relay.gets())) == 7  # of 4 MiB each, and the rest


def test_a_broken_download_goes_on_where_it_stopped_also_in_another_run(fleet, storage):
    storage.put("large.gguf", LARGE)
    write(fleet, "s3:models/large.gguf", defaults="connections = 1")
    fleet.well("models", "pin", "tiny")
    storage.relay.cuts = 5
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, "no connection to 127.0.0.1" in ended.out) == (1, True), ended
    assert_silent(fleet, ended)
    before = storage.relay.sent
    fleet.well("models", "pull", "tiny")
    assert 0 < storage.relay.sent - before < len(LARGE) - (4 << 20)
    assert kept(fleet) == [f"{hashlib.sha256(LARGE).hexdigest()}.gguf"]


@pytest.mark.parametrize("is_named", [True, False])
def test_an_object_that_moved_is_refused_until_it_is_pinned_anew(fleet, storage, is_named):
    storage.put("tiny/tiny-Q4_K_M.gguf", GGUF, is_named=is_named)
    fleet.well("models", "pull", "tiny")
    (fleet.folder / f"cache/fleet/models/{SHA256}.gguf").unlink()
    storage.put("tiny/tiny-Q4_K_M.gguf", GGUF + b"more", is_named=is_named)
    ended = fleet("models", "pull", "tiny")
    assert ended.code == 6
    assert "is not the object any more that was pinned\n-> next: fleet models pin NAME" in ended.out
    pinned = fleet.well("models", "pin", "tiny", "--json").json["model"]
    assert (pinned["changed"], pinned["bytes"]) == (True, len(GGUF) + 4)
    fleet.well("models", "pull", "tiny")
    assert kept(fleet) == [f"{hashlib.sha256(GGUF + b'more').hexdigest()}.gguf"]


def test_a_pinned_version_is_fetched_although_there_is_a_newer_one(fleet, storage):
    storage.s3.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
    storage.put("tiny/tiny-Q4_K_M.gguf", GGUF)
    fleet.well("models", "pin", "tiny")
    assert locked(fleet)[SOURCE]["marks"]["version"]
    storage.put("tiny/tiny-Q4_K_M.gguf", GGUF + b"more")
    fleet.well("models", "pull", "tiny")
    assert kept(fleet) == [f"{SHA256}.gguf"]
    newer = fleet.well("models", "pin", "tiny", "--json").json["model"]
    assert newer["bytes"] == len(GGUF) + 4
    version = locked(fleet)[SOURCE]["marks"]["version"]
    storage.s3.delete_object(Bucket="models", Key="tiny/tiny-Q4_K_M.gguf", VersionId=version)
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, "is not there any more" in ended.out) == (6, True), ended


def test_an_object_that_is_deleted_says_so(fleet, storage):
    fleet.well("models", "pin", "tiny")
    storage.s3.delete_object(Bucket="models", Key="tiny/tiny-Q4_K_M.gguf")
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, "is not there any more" in ended.out) == (6, True), ended


def test_a_split_model_is_named_by_its_first_object(fleet, storage, tmp_path):
    (tmp_path / "split").mkdir()
    parts = split(tmp_path / "split")
    for part in parts:
        storage.put(f"big/{part.name}", part.read_bytes(), is_named=part is not parts[-1])
    write(fleet, f"s3:models/big/{parts[0].name}")
    fleet.well("models", "pull", "tiny")
    hashes = [hashlib.sha256(part.read_bytes()).hexdigest() for part in parts]
    assert kept(fleet) == sorted(f"{one}.gguf" for one in hashes)
    assert [entry["sha256"] for _, entry in sorted(locked(fleet).items())] == hashes
    assert "nothing to do" in fleet.well("models", "pin", "tiny").out
    (tmp_path / "other").mkdir()
    other = split(tmp_path / "other", seed=2)
    storage.put(f"big/{parts[-1].name}", other[-1].read_bytes())
    assert fleet.well("models", "pin", "tiny", "--json").json["model"]["changed"]
    moved = [*hashes[:-1], hashlib.sha256(other[-1].read_bytes()).hexdigest()]
    assert [entry["sha256"] for _, entry in sorted(locked(fleet).items())] == moved


@pytest.mark.parametrize("name", ["ein Modell é 模型.gguf", "a+b%20c&d=e'f\"g#1.gguf", "-m.gguf"])
def test_a_key_may_hold_all_that_a_line_of_the_inventory_can(fleet, storage, name):
    storage.put(f"my models/{name}", GGUF)
    write(fleet, f"s3:models/my models/{name}")
    fleet.well("models", "pull", "tiny")
    assert kept(fleet) == [f"{SHA256}.gguf"]


@pytest.mark.parametrize("model", ["tiny", SOURCE])
def test_fit_reads_only_the_header(fleet, storage, model):
    storage.put("tiny/tiny-Q4_K_M.gguf", GGUF + bytes(8 << 20), is_named=model == "tiny")
    with open(fleet.inventory, "a") as file:
        file.write(f'[hosts.here]\ntransport = "local"\nroot = "{fleet.folder}/root"\n')
    ended = fleet("fit", model, "--json")
    assert storage.relay.gets() == [f"bytes=0-{(1 << 20) - 1}"], ended
    assert_silent(fleet, ended)
