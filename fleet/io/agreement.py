"""Whether people agree to what is going to be changed: asked once, for all hosts together."""

from collections.abc import Iterable, Mapping

from fleet.core.errors import PlanError
from fleet.core.events import Confirmed, Planned
from fleet.core.plan import Plan
from fleet.io.door import Question
from fleet.io.gather import Gather
from fleet.io.world import World, actor


class Agreement:
    """The plans of a run, and what was agreed to of them.

    Args:
        name: the verb as it is typed.
        level: of the verb; 0 only looks.
        hosts: those who may ask.
        is_dry: nobody is asked, and nothing is agreed to.
    """

    def __init__(self, world: World, name: str, level: int, hosts: Iterable[str], is_dry: bool) -> None:
        self._world, self._name, self._level, self._is_dry = world, name, level, is_dry
        self._hosts = tuple(hosts)
        self._first: Gather[Plan, bool] = Gather(self._hosts, self._settle)
        self._asked: set[str] = set()
        self._covered: dict[str, set[str]] = {}  # keys of steps, by host

    async def ask(self, host: str, plan: Plan) -> bool:
        """Whether a person agrees. What was agreed to before needs no second yes."""
        self._world.say(
            Planned(
                **self._world.stamp(host or None),
                steps=tuple(step.title for step in plan.steps),
                notes=plan.notes,
                phases=tuple(step.phase for step in plan.steps),
            )
        )
        keys = {step.key for step in plan.steps}
        if host in self._asked:
            is_covered = keys <= self._covered.get(host, set())
            agreed = bool(keys) if is_covered else await self._ask_people((plan,), is_repeat=True)
        else:
            self._asked.add(host)
            agreed = await self._first.ask(host, plan)
        if agreed:
            self._covered.setdefault(host, set()).update(keys)
            self._world.say(Confirmed(**self._world.stamp(host or None), actor=actor(), steps=len(keys)))
        return agreed

    def leave(self, host: str) -> None:
        """The host will not ask."""
        self._first.leave(host)

    async def _settle(self, plans: Mapping[str, Plan]) -> Mapping[str, bool]:
        ordered = tuple(plans[host] for host in self._hosts if host in plans and plans[host].steps)
        agreed = await self._ask_people(ordered) if ordered else False
        return {host: agreed and bool(plan.steps) for host, plan in plans.items()}

    async def _ask_people(self, plans: tuple[Plan, ...], is_repeat: bool = False) -> bool:
        if self._is_dry:
            return False
        if self._level == 0:
            raise PlanError(f"{self._name} only looks; it cannot change a host")
        level = self._level if len(plans) < 2 else max(2, self._level)
        return await self._world.door.confirm(Question(self._name, level, plans, is_repeat))
