"""What a hub refuses and what it answers wrongly, as sentences with a way out."""

import pytest

from fleet.core.errors import DeadlineError, FleetError, PlanError, ProbeError
from fleet.io.hubs.hub import Hub
from fleet.sources import base as sources
from tests.io.hubs import TOKEN

SOURCE = "hf:acme/Tiny-GGUF:Q4_K_M"


@pytest.mark.parametrize(
    ("token", "let_in", "what", "following"),
    [
        (None, True, "it is gated, and no token was sent", "then export HF_TOKEN"),
        (TOKEN, False, "your account has not been let in", "accept the licence at http"),
        ("hf_other", True, "does not know the token", "/settings/tokens"),
    ],
)
async def test_a_gated_repository_says_what_to_do(here, hub, token, let_in, what, following):
    hub.repos["acme/Tiny-GGUF"].gate, hub.let_in = True, let_in
    if token:
        here.environ["HF_TOKEN"] = token
    with pytest.raises(PlanError, match=what) as caught:
        await here.find(SOURCE, None)
        await here.path()
    assert following in caught.value.next
    assert "hf_" not in str(caught.value)
    assert hub.storage.asked == []


async def test_a_missing_repository_names_the_nearest_of_its_owner(here, hub):
    with pytest.raises(PlanError, match="shows no repository acme/Tiny-GGFU") as caught:
        await here.find("hf:acme/Tiny-GGFU:Q4_K_M", None)
    assert caught.value.next == "one of: acme/Tiny-GGUF"


async def test_a_missing_revision_names_those_that_are_there(here, hub):
    with pytest.raises(PlanError, match=r"acme/Tiny-GGUF has no revision v1\.1") as caught:
        await here.find("hf:acme/Tiny-GGUF@v1.1:Q4_K_M", None)
    assert caught.value.next == "one of: v1.0"


@pytest.mark.parametrize(
    ("headers", "following"),
    [
        ({"Retry_After": "37"}, "wait 37 s, then the same command again; with a token the hub allows more"),
        ({"RateLimit": '"api";r=0;t=55'}, "wait 55 s, then"),
        ({"Retry_After": "Fri, 31 Dec 1999 23:59:59 GMT"}, "wait, then"),
    ],
)
async def test_too_many_questions_say_how_long_to_wait(here, hub, headers, following):
    hub.raw = (429, b"", headers)
    with pytest.raises(FleetError, match="too many questions") as caught:
        await here.find(SOURCE, None)
    assert caught.value.next.startswith(following)
    assert caught.value.kind == "rate-limit"


@pytest.mark.parametrize("status", [400, 403, 404, 410, 500, 502, 503])
async def test_a_hub_that_refuses_is_one_sentence(here, hub, status):
    hub.raw = (status, b"<html>", {})
    with pytest.raises(FleetError, match="model tiny: ") as caught:
        await here.find(SOURCE, None)
    assert caught.value.next
    assert not (here.base / "fleet.lock").exists()


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"[" * 100_000, b"null", b'{"sha": 3, "siblings": []}', b'{"sha": "main"}'],
    ids=lambda body: body[:12].decode(),
)
async def test_an_answer_that_is_none_is_one_sentence(here, hub, body):
    hub.raw = (200, body, {})
    with pytest.raises(ProbeError, match="no list of files"):
        await here.find(SOURCE, None)


async def test_an_endless_answer_is_left(here, hub):
    hub.raw = (200, b" " * (17 << 20), {})
    with pytest.raises(FleetError, match="more than 16 MiB"):
        await here.find(SOURCE, None)


async def test_a_hub_that_sends_in_circles_is_left(here, hub):
    hub.raw = (302, b"", {"Location": f"{hub.url}/api/models/acme/Tiny-GGUF/revision/main"})
    with pytest.raises(FleetError, match="in circles"):
        await here.find(SOURCE, None)


async def test_a_silent_hub_is_left(here, hub):
    place = sources.parse(SOURCE)
    with pytest.raises(DeadlineError, match="no answer from 127"):
        await Hub(here.access).listing(place, deadline=0.0)
