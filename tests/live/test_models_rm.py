"""A model that a server runs from cannot be taken off its host."""

from tests.controller import SMOKE
from tests.live.sites import Site, digest
from tests.terminal import says


def test_a_model_that_a_server_runs_from_stays_whatever_one_types_until_the_server_is_stopped(
    embedded, controllers
):
    site = Site(controllers(), embedded.up(1)["h1"])
    site.controller.write([site.host])
    site.controller.well("deploy", "h1", "--yes")
    held = site.root / "models" / digest(SMOKE) / "model.gguf"
    rm = ("models", "rm", "tiny", "h1", "--yes", "--confirm", "h1")
    for words in (rm, (*rm, "--force")):
        says(site.controller(*words), 6, "chat runs from tiny", "fleet stop chat@h1")
        assert held.exists()
    assert site.controller.well("models", "gc", "h1", "--yes", "--json").host["steps"] == []
    site.controller.well("stop", "chat@h1", "--yes", "--reason", "its model is to go")
    says(site.controller(*rm), 6, "the inventory wants tiny here")
    site.controller.well(*rm, "--force")
    assert not held.exists()
    site.controller.well("push", "h1", "--yes")
    assert digest(held) == digest(SMOKE)
