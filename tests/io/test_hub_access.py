"""Which hub is asked, which token it gets, and to whom no token goes."""

import os

import pytest

from fleet.core.errors import FleetError, UsageError
from fleet.core.secret import Secret
from fleet.io.hubs.access import Access

SITE = "https://huggingface.co"
MIRROR = "https://mirror.example/hf"


@pytest.fixture
def home(tmp_path):
    (tmp_path / "config").mkdir()
    return tmp_path


def access(home, wanted=None, **environ: str) -> Access:
    return Access({"HOME": str(home)} | environ, home / "config", wanted)


def put(path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_the_environment_goes_before_the_inventory_and_that_before_the_official_hub(home):
    assert access(home).endpoint() == SITE
    assert access(home, MIRROR + "/").endpoint() == MIRROR
    assert access(home, MIRROR, HF_ENDPOINT="http://127.0.0.1:9/").endpoint() == "http://127.0.0.1:9"
    assert access(home, HF_ENDPOINT="  ").endpoint() == SITE


@pytest.mark.parametrize(
    "text", ["mirror.example", "ftp://x", "https://me:hunter2@x", "https://x?y=1", "https://"]
)
def test_an_endpoint_that_is_none_is_refused_and_not_repeated(home, text):
    with pytest.raises(UsageError, match="HF_ENDPOINT should be the address of a model hub") as caught:
        access(home, HF_ENDPOINT=text).endpoint()
    assert "hunter2" not in str(caught.value)


def test_the_environments_token_goes_before_fleets_file_and_that_before_the_hubs_own(home):
    assert access(home).token() is None
    put(home / ".cache/huggingface/token", "hf_theirs\n")
    assert access(home).token() == Secret("hf_theirs")
    put(home / "config/hf_token", "hf_ours")
    assert access(home).token() == Secret("hf_ours")
    assert access(home, HF_TOKEN="hf_typed").token() == Secret("hf_typed")
    assert access(home, HF_TOKEN=" ").token() == Secret("hf_ours")


@pytest.mark.parametrize("variable", ["HF_HOME", "XDG_CACHE_HOME"])
def test_the_hubs_own_file_lies_where_its_tools_put_it(home, variable):
    folder = home / "elsewhere"
    put(folder / "token" if variable == "HF_HOME" else folder / "huggingface/token", "hf_theirs")
    assert access(home, **{variable: str(folder)}).token() == Secret("hf_theirs")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_token_that_others_can_read_is_refused(home, mode):
    path = home / ".cache/huggingface/token"
    put(path, "hf_theirs", mode)
    with pytest.raises(FleetError, match="can be read by others") as caught:
        access(home).token()
    assert caught.value.next == f"chmod 600 {path}"
    assert "hf_theirs" not in str(caught.value)


def test_a_pipe_in_place_of_a_token_does_not_hold_us(home):
    os.mkfifo(home / "config/hf_token", 0o600)
    with pytest.raises(FleetError, match="is not a file"):
        access(home).token()


@pytest.mark.parametrize("text", ["hf_a b", "hf_\x1b", "hf_é", "x" * 501, "hf_a\r\nX-Evil: 1"])
def test_what_is_no_token_is_refused_and_not_repeated(home, text):
    with pytest.raises(UsageError, match="HF_TOKEN holds no token") as caught:
        access(home, HF_TOKEN=text).token()
    assert text not in str(caught.value)


def test_an_inventory_cannot_send_the_token_to_a_hub_of_its_own(home):
    assert access(home, MIRROR, HF_TOKEN="hf_x").token() is None
    assert "export HF_ENDPOINT=" + MIRROR in access(home, MIRROR).withheld()
    assert access(home, MIRROR, HF_TOKEN="hf_x", HF_ENDPOINT=MIRROR).token() == Secret("hf_x")
    assert access(home, SITE, HF_TOKEN="hf_x").token() == Secret("hf_x")


def test_a_token_goes_nowhere_in_the_clear(home):
    assert access(home, HF_TOKEN="hf_x", HF_ENDPOINT="http://mirror.example").token() is None
    assert access(home, HF_TOKEN="hf_x", HF_ENDPOINT="http://127.0.0.1:1").token() == Secret("hf_x")


def test_the_server_of_a_bucket_is_the_sources_the_environments_or_the_inventorys(home):
    wanted = Access({}, home, s3=MIRROR)
    assert wanted.bucket_endpoint("http://127.0.0.1:9000") == "http://127.0.0.1:9000"
    assert wanted.bucket_endpoint(None) == MIRROR
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        assert Access({name: SITE}, home, s3=MIRROR).bucket_endpoint(None) is None  # boto3 reads it
