"""Nothing that looks like a secret leaves in a report."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fleet.watch.redact import HIDDEN, Redactor

KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # as fleet makes them: 64 hex digits
MODEL = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
HF = "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"download with {HF} failed", HF),
        (f"Authorization: Bearer {KEY}", KEY),
        ("authorization: Basic b3BzOmh1bnRlcjI=", "b3BzOmh1bnRlcjI"),
        ('{"headers": {"Authorization": "Bearer short-1"}}', "short-1"),
        ('"api-key": "swordfish"', "swordfish"),
        ("--api-key swordfish --port 0", "swordfish"),
        ("--api-key=swordfish", "swordfish"),
        ('["--api-key", "swordfish"]', "swordfish"),
        ("HF_TOKEN=swordfish llama-server", "swordfish"),
        ("password = 'swordfish'", "swordfish"),
        ("export GITHUB_TOKEN=swordfish", "swordfish"),
        ("https://ops:swordfish@mirror.example/x", "swordfish"),
        ("https://mirror.example/x?token=swordfish&b=1", "swordfish"),
        ("X-Amz-Signature=swordfish", "swordfish"),
        ("Set-Cookie: session=swordfish; Path=/", "swordfish"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA\n-----END OPENSSH PRIVATE KEY-----", "b3BlbnNzaA"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN", "MIIEvQIBADAN"),
        (f"key {KEY} refused", KEY),
        ("ghp_abcdefghijklmnop1234567890", "abcdefghijklmnop1234567890"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvcHMifQ.sig", "eyJzdWIiOiJvcHMifQ"),
        ("blob Zm9v/YmFyQmF6UXV4MTIzNDU2Nzg5MEFCQ0RFRg==", "YmFyQmF6UXV4"),
        (r"{\"token\": \"swordfish\"}", "swordfish"),
        ("passphrase: correct horse battery swordfish", "swordfish"),
        ("password = correct horse swordfish", "horse"),
        ('passphrase="correct horse battery swordfish"', "swordfish"),
        ("{'password': \"it isn't a swordfish\"}", "swordfish"),
        ('--passphrase "correct horse swordfish"', "swordfish"),
        ("mysql://db?user=ops&pwd=swordfish", "swordfish"),
        ("Server=db;Uid=ops;Pwd=swordfish;", "swordfish"),
        ("password=12345678", "12345678"),
        ('{"db_password": 12345678}', "12345678"),
        ("--password 12345678", "12345678"),
        ("post to https://hooks.slack.com/services/T0AAA/B0AAA/abcdefghijklmnopqrstuvwx now", "abcdefgh"),
        ("https://discord.com/api/webhooks/123456789/swordfish", "swordfish"),
    ],
)
def test_a_secret_is_taken_out_wherever_it_stands(text: str, secret: str) -> None:
    told = Redactor().text(text)
    assert secret not in told
    assert HIDDEN in told
    assert Redactor().text(told) == told


@pytest.mark.parametrize(
    "text",
    [
        "llama_model_loader: - kv   0: general.architecture str = llama",
        "n_tokens = 512, max_tokens: 128, tokens/s 45.2",
        '"tokens": 128, "prompt_tokens": 7, "token": null',
        "--api-key-file /x/services/chat/key",
        '["--no-cors-credentials", "--metrics", "--slots"]',
        "--no-cors-credentials --metrics",
        "models/Qwen3-30B-A3B-Instruct-2507-UD-Q4_K_XL.gguf",
        "-DGGML_CUDA_FA_ALL_QUANTS=ON -DCMAKE_CUDA_ARCHITECTURES=89",
        "src/llama-model-loader.cpp:1234: ggml_backend_buffer_type",
        "AMD Ryzen 9 5950X 16-Core Processor, avx512_vnni avx512_bf16",
        "0.02.119.870 I srv  load_model: loading model",
        "PWD=/opt/llama.cpp/build",
        "Failed password for ops from 127.0.0.1 port 22 ssh2",
        "12:34:56 started, see http://127.0.0.1:8080/health and ::1",
    ],
)
def test_what_an_engineer_needs_stays(text: str) -> None:
    assert Redactor(names={}).text(text) == text


def test_what_stands_after_a_passphrase_stays_where_it_has_a_name_of_its_own() -> None:
    told = Redactor().text("passphrase: correct horse host=gpu-01 state=ready\nnext line")
    assert told == f"passphrase: {HIDDEN} host=gpu-01 state=ready\nnext line"


def test_hashes_that_are_known_stay_and_the_others_go() -> None:
    told = Redactor(known=[MODEL]).text(f"models/{MODEL}/model.gguf key={KEY} sha256={MODEL}")
    assert MODEL in told
    assert told.count(MODEL) == 2
    assert KEY not in told


def test_a_known_secret_goes_even_where_it_looks_like_a_word() -> None:
    told = Redactor(secrets=["swordfish", KEY], known=[KEY]).text(f"the fish is a swordfish, {KEY}")
    assert told == f"the fish is a {HIDDEN}, {HIDDEN}"


def test_names_homes_and_addresses_are_replaced_unless_they_are_kept() -> None:
    text = (
        "ops@desk.example at 192.168.1.20 and fe80::1ff:fe23:4567:890a, /home/ops/x, /Users/anna/y, ops@desk"
    )
    names = {"ops": "user", "desk": "controller", "anna": "user"}
    told = Redactor(names=names).text(text)
    for word in ("ops", "desk", "anna", "192.168", "fe80"):
        assert word not in told
    assert told.endswith("/home/user/x, /Users/user/y, user@controller")
    assert Redactor().text(text) == text


def test_a_mac_address_is_a_name_too() -> None:
    assert Redactor(names={}).text("wake 0a:1b:2c:3d:4e:5f now") == "wake <mac> now"


@given(some.text(alphabet="0123456789abcdef", min_size=64, max_size=64).filter(lambda key: len(set(key)) > 8))
def test_no_key_that_fleet_makes_passes(key: str) -> None:
    assert key not in Redactor().text(f"server refused {key} twice")


@given(some.text(max_size=300))
def test_any_text_can_be_redacted_and_stays_text(text: str) -> None:
    assert isinstance(Redactor(names={"ops": "user"}).text(text), str)


def test_an_access_key_is_a_secret_too():
    assert Redactor().text("AWS_SECRET_ACCESS_KEY=abcd") == "AWS_SECRET_ACCESS_KEY=***"
