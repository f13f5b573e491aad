"""A plan carried out on this machine, probed by the real probe: the second plan is empty."""

from fleet.core.inventory import Host
from fleet.core.plan import Artifact, Run, Wait, Write
from fleet.core.plan import Drained as DrainedPlan
from fleet.io.servers.ready import wait_drained, wait_ready
from fleet.io.shelltext import placed
from fleet.platforms.probe import parse, probe_program
from fleet.servers import by_hand
from fleet.servers.plan import steps
from tests.servers.test_ready import Reach
from tests.servers.values import PRINT, SHA, server

MODELS = {"tiny": Artifact("model", SHA, "tiny", 1)}


class Small:
    """What the engine does with a plan, for one host that is this machine."""

    def __init__(self, place):
        self.world = Reach(place)
        self.place = place

    async def facts(self):
        script = "FLEET_NONCE=abcdef\n" + placed(probe_program(), str(self.place.root))
        answer = await self.world.link.run(script, deadline=60)
        return parse("here", answer.out, "abcdef", 0.0)

    async def plan(self, **changes):
        wish = {"chat": server(context=512, **({"parallel": 1} | changes))}
        facts = await self.facts()
        return steps("here", Host(), wish, facts, MODELS, fingerprint=PRINT, backend="cpu")[:2]

    async def carry(self, found):
        for step in found:
            match step.action:
                case Write(files):
                    for file in files:
                        self.place.write(file)
                case Run(script):
                    answer = await self.world.link.run(placed(script, str(self.place.root)), deadline=60)
                    assert answer.status == 0, answer.err
                case Wait(DrainedPlan() as until):
                    await wait_drained(self.world, "here", until)
                case Wait(until):
                    await wait_ready(self.world, "here", until, "")


async def test_the_second_plan_is_empty_and_every_change_is_followed_by_an_empty_one(place):
    here = Small(place)
    found, _ = await here.plan()
    assert [step.phase for step in found] == ["prepare", "start", "health"]
    await here.carry(found)
    assert (await here.plan())[0] == ()

    found, _ = await here.plan(parallel=2)
    assert [step.phase for step in found] == ["prepare", "stop", "stop", "start", "health"]
    await here.carry(found)
    assert (await here.plan(parallel=2))[0] == ()

    await here.carry(by_hand.restart("here", await here.facts(), ())[0])
    assert (await here.plan(parallel=2))[0] == ()

    await here.carry(by_hand.stop("here", await here.facts(), (), "making room")[0])
    found, notes = await here.plan(parallel=2)
    assert found == ()
    assert "chat is held: making room; fleet start chat@here clears it" in notes
    assert place.processes() == []
