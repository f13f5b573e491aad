"""State words of servers and hosts (TUI.md section 6) from what is known of them."""

from fleet.core.facts import Facts, Instance, Live
from fleet.servers.proof import shortfall


def server_state(
    instance: Instance, live: Live | None, is_wanted: bool, boot: str | None
) -> tuple[str, str | None]:
    """The word for a server and, where it is not a plain one, the reason.

    Args:
        live: its own answer; None where nobody asked.
        is_wanted: whether the inventory has it on this host.
        boot: the host's present boot id.
    """
    name = instance.server
    if instance.held is not None:
        return "held", instance.held or "stopped by a person"
    if instance.state == "failed":
        code = "" if instance.exit_code is None else f"exit {instance.exit_code}"
        last = instance.log_tail[-1] if instance.log_tail else ""
        return "failed", "; ".join(part for part in (code, last) if part) or "it does not start"
    if instance.state == "stopped":
        if boot and instance.boot and instance.boot != boot:
            return "stopped", f"the host was restarted and nothing here starts {name} at boot"
        return "stopped", None
    if instance.state == "starting":
        return "loading", None
    if instance.state != "running":
        return "unknown", instance.state
    return _running(instance, live, is_wanted)


def _running(instance: Instance, live: Live | None, is_wanted: bool) -> tuple[str, str | None]:
    if live is None:
        return "unknown", "it was not asked"
    if live.health == "loading":
        return "loading", None
    if live.health == "sleeping":
        return "sleeping", "idle, the model is unloaded"
    if live.health != "ready":
        return "degraded", live.reason or "it runs and does not answer"
    less = shortfall(instance)
    if less is not None:
        return "degraded", less
    if not is_wanted:
        return "undeclared", "not in the inventory; fleet deploy --prune stops it"
    if live.slots and any(slot.is_processing for slot in live.slots):
        return "busy", None
    return "ready", None


def host_state(facts: Facts, servers: list[str]) -> str:
    """The word for a host that answered, from the words of its servers."""
    if any(word in ("failed", "wedged", "degraded") for word in servers):
        return "degraded"
    if any(word == "stopped" for word in servers):
        return "degraded"
    if (
        facts.memory.swap_used
        and facts.memory.swap_total
        and facts.memory.swap_used > facts.memory.swap_total * 0.9
    ):
        return "swapping"
    if any(word == "busy" for word in servers):
        return "busy"
    return "ready"
