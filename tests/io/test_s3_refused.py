"""Buckets that refuse, servers that are named in many ways, and credentials that are never shown."""

import pytest

from fleet.core.errors import PlanError
from fleet.io.hubs.access import Access
from fleet.io.hubs.bucket import Bucket
from fleet.sources.base import Object
from tests.io.buckets import KEY, SECRET, SOURCE, assert_silent, locked, write
from tests.io.controllers import GGUF


@pytest.fixture
def fleet(s3):
    return s3


def test_a_name_near_the_right_one_is_offered(fleet, storage):
    write(fleet, "s3:models/tiny/tiny-Q4_K_S.gguf")
    ended = fleet("models", "pull", "tiny")
    assert ended.code == 6
    assert "bucket models of 127.0.0.1 has no object tiny/tiny-Q4_K_S.gguf" in ended.out
    assert f"-> next: one of: {SOURCE}" in ended.out


def test_a_bucket_that_is_not_there_is_one_sentence(fleet, storage):
    write(fleet, "s3:modells/tiny.gguf")
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, "127.0.0.1 has no bucket modells" in ended.out) == (6, True), ended


def test_credentials_that_nobody_knows_are_refused_and_not_shown(fleet, storage):
    storage.demand_credentials()
    ended = fleet("models", "pull", "tiny")
    assert ended.code == 6
    assert "refuses the AWS credentials of env: the access key is not known there" in ended.out
    assert "-> next: export AWS_PROFILE=NAME, or aws configure" in ended.out
    assert_silent(fleet, ended)


def test_a_wrong_secret_and_a_missing_right_are_told_apart(fleet, storage):
    iam = storage.client("iam")
    iam.create_user(UserName="me")
    made = iam.create_access_key(UserName="me")["AccessKey"]
    storage.demand_credentials()
    fleet.env["AWS_ACCESS_KEY_ID"] = made["AccessKeyId"]
    wrong = fleet("models", "pull", "tiny")
    assert "the secret does not fit the access key" in wrong.out, wrong
    fleet.env["AWS_SECRET_ACCESS_KEY"] = made["SecretAccessKey"]
    denied = fleet("models", "pull", "tiny")
    assert f"{SOURCE} is not there, or may not be read with the AWS credentials of env" in denied.out, denied
    for ended in (wrong, denied):
        assert ended.code == 6
        assert made["AccessKeyId"] not in ended.out and made["SecretAccessKey"] not in ended.out


def test_without_credentials_a_public_object_is_fetched_and_another_is_refused(fleet, storage):
    del fleet.env["AWS_ACCESS_KEY_ID"], fleet.env["AWS_SECRET_ACCESS_KEY"]
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, "may not be read with no AWS credentials" in ended.out) == (6, True), ended
    storage.put("tiny/tiny-Q4_K_M.gguf", GGUF, ACL="public-read")
    fleet.well("models", "pull", "tiny")


def test_half_a_credential_and_a_profile_that_is_none_are_said(fleet):
    del fleet.env["AWS_SECRET_ACCESS_KEY"]
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, "missing: AWS_SECRET_ACCESS_KEY" in ended.out) == (2, True), ended
    fleet.env["AWS_PROFILE"] = "nobody"
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, "profile (nobody) could not be found" in ended.out) == (2, True), ended


@pytest.mark.parametrize("where", ["source", "inventory", "profile"])
def test_the_server_is_named_by_the_source_the_inventory_or_a_profile(fleet, storage, where):
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del fleet.env[name]
    (fleet.folder / ".aws").mkdir()
    credentials = f"[lab]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    (fleet.folder / ".aws/credentials").write_text(credentials)
    endpoint = f"endpoint_url = {storage.relay.url}\n" if where == "profile" else ""
    (fleet.folder / ".aws/config").write_text(f"[profile lab]\nregion = eu-central-1\n{endpoint}")
    fleet.env["AWS_PROFILE"] = "lab"
    source = f"{SOURCE}?endpoint={storage.relay.url}" if where == "source" else SOURCE
    write(fleet, source, defaults=f's3 = "{storage.relay.url}"' if where == "inventory" else "")
    fleet.well("models", "pull", "tiny")
    assert list(locked(fleet)) == [source]
    assert storage.relay.gets()


def test_an_archived_object_says_how_it_is_restored(fleet, storage):
    storage.put("tiny/tiny-Q4_K_M.gguf", GGUF, StorageClass="GLACIER")
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, "aws s3api restore-object --bucket models" in ended.out) == (6, True), ended


def test_an_endpoint_of_the_environment_that_is_none_is_refused_without_its_password(fleet):
    fleet.env["AWS_ENDPOINT_URL_S3"] = "me:hunter2@minio"
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, "the endpoint of S3 is no address of a server" in ended.out) == (2, True), ended
    assert "hunter2" not in ended.out + ended.err


def test_nobody_listening_is_one_sentence(fleet):
    write(fleet, f"{SOURCE}?endpoint=http://127.0.0.1:1")
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, "no connection to 127.0.0.1: EndpointConnectionError" in ended.out) == (1, True), (
        ended
    )


def test_without_its_library_the_next_command_installs_it(tmp_path):
    with pytest.raises(PlanError, match="s3: sources need boto3_of_nobody") as caught:
        Bucket(Object("models", "x.gguf", None), Access({}, tmp_path), library="boto3_of_nobody")
    assert caught.value.next.endswith("-m pip install boto3_of_nobody")
