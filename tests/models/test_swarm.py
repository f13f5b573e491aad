"""Who gets which chunk from whom, played through without a network."""

from collections import Counter

import pytest

from fleet.models.swarm import SENDS, UPLOADS, Swarm, Transfer


class Play:
    """An exchange in rounds: everything that is on its way arrives in its turn, the slow later."""

    def __init__(self, chunks: int, hosts: int = 0, *, can_share: bool = True) -> None:
        self.swarm = Swarm(chunks)
        self.sent: Counter[str | None] = Counter()
        self.arrived: list[Transfer] = []
        self.flying: list[tuple[int, Transfer]] = []
        self.round = 0
        self.turns: dict[str | None, int] = {}  # rounds that a chunk of this source takes; else 1
        self.fails = lambda transfer: False
        self.cut: set[frozenset[str]] = set()
        for number in range(1, hosts + 1):
            self.join(f"h{number}", can_share=can_share)

    def join(self, host: str, held=(), *, wants: bool = True, can_share: bool = True) -> None:
        for source, to in self.swarm.join(host, held, wants=wants, can_share=can_share):
            self.swarm.reached(source, to, frozenset((source, to)) not in self.cut)

    def step(self) -> None:
        for transfer in self.swarm.next():
            self.sent[transfer.source] += 1
            self.flying.append((self.round + self.turns.get(transfer.source, 1), transfer))
        self.round += 1
        landing = [one for at, one in self.flying if at <= self.round]
        self.flying = [(at, one) for at, one in self.flying if at > self.round]
        for transfer in landing:
            if self.fails(transfer):
                self.swarm.failed(transfer)
            else:
                self.arrived.append(transfer)
                self.swarm.done(transfer, 1 / self.turns.get(transfer.source, 1))

    def run(self, most: int = 10_000) -> int:
        while self.swarm.is_wanted:
            assert self.round < most, "it stands still"
            self.step()
        return self.round

    def got(self, host: str) -> int:
        return len({one.chunk for one in self.arrived if one.to == host})


def test_the_controller_sends_each_chunk_about_once_however_many_hosts_want_it():
    play = Play(64, 8)
    play.run()
    assert all(play.got(f"h{number}") == 64 for number in range(1, 9))
    assert 64 <= play.sent[None] <= 64 + 8


def test_eight_hosts_take_little_longer_than_one():
    one, eight = Play(64, 1), Play(64, 8)
    assert eight.run() <= 1.5 * one.run()


def test_three_hundred_hosts_do_not_wait_for_the_controller():
    play = Play(64, 300)
    play.run()
    assert play.sent[None] <= 2 * 64


def test_one_host_alone_gets_every_stream_of_the_controller():
    play = Play(64, 1)
    assert play.run() == 64 // SENDS
    assert play.sent[None] == 64


def test_hosts_that_cannot_share_get_everything_from_the_controller():
    play = Play(10, 3, can_share=False)
    play.run()
    assert play.sent == {None: 30}


def test_a_host_that_nobody_reaches_gets_its_chunks_from_the_controller_and_the_others_share():
    play = Play(40)
    play.cut = {frozenset(("h3", other)) for other in ("h1", "h2")}
    for host in ("h1", "h2", "h3"):
        play.join(host)
    play.run()
    assert {one.source for one in play.arrived if one.to == "h3"} == {None}
    assert 80 <= play.sent[None] <= 80 + 3


def test_what_a_host_has_already_is_not_sent_to_it():
    play = Play(10)
    play.join("h1", held=range(7))
    play.run()
    assert sorted(one.chunk for one in play.arrived) == [7, 8, 9]


def test_a_host_that_has_all_of_it_gives_it_and_the_controller_finds_out_only_whether_it_is_faster():
    play = Play(40)
    play.join("h0", held=range(40), wants=False)
    for host in ("h1", "h2", "h3"):
        play.join(host)
    play.run()
    assert play.sent[None] <= 4


def test_the_controller_helps_where_the_only_host_that_has_it_is_slow():
    play = Play(40)
    play.turns = {"h0": 50}
    play.join("h0", held=range(40), wants=False)
    play.join("h1")
    assert play.run() < 150  # 1000 rounds from h0 alone
    assert play.sent[None] <= 40


def test_a_slow_host_holds_nobody():
    play = Play(64)
    for host in ("slow", "h1", "h2", "h3"):
        play.join(host)
    slow = play.swarm.members["slow"]
    play.turns = {"slow": 100}
    # its own chunks take forever: whatever goes to it lands late
    flying = []

    def step() -> None:
        for transfer in play.swarm.next():
            play.sent[transfer.source] += 1
            flying.append((play.round + (300 if "slow" in (transfer.to, transfer.source) else 1), transfer))
        play.round += 1
        for at, transfer in list(flying):
            if at <= play.round:
                flying.remove((at, transfer))
                play.swarm.done(transfer, 0.003 if transfer.source == "slow" else 1.0)

    while not all(play.swarm.is_complete(host) for host in ("h1", "h2", "h3")):
        step()
        assert play.round < 200
    assert slow.missing


def test_no_host_gives_more_at_once_than_it_may():
    play = Play(200)
    play.join("h0", held=range(200), wants=False)
    play.turns = {"h0": 3}
    for number in range(1, 20):
        play.join(f"h{number}")
    while play.swarm.is_wanted:
        play.step()
        giving = Counter(one.source for _, one in play.flying if one.source is not None)
        assert max(giving.values(), default=0) <= UPLOADS
        assert sum(1 for _, one in play.flying if one.source is None) <= SENDS


def test_nobody_takes_from_a_host_that_two_others_complained_about():
    play = Play(60, 5)
    play.fails = lambda transfer: transfer.source == "h1"
    play.run()
    complained = {one.to for one in play.arrived}
    assert complained == {f"h{number}" for number in range(1, 6)}
    assert not play.swarm.members["h1"].can_share
    assert play.sent["h1"] <= 8  # what was on its way when the second complained


def test_one_host_alone_cannot_speak_ill_of_all_the_others():
    play = Play(60, 5)
    play.fails = lambda transfer: transfer.to == "h1" and transfer.source is not None
    play.run()
    assert all(play.swarm.members[f"h{number}"].can_share for number in range(2, 6))


@pytest.mark.parametrize("dies", ["h1", "h2", "seed"])
def test_a_host_that_dies_midway_is_done_without(dies):
    play = Play(60)
    play.join("seed", held=range(30), wants=False)
    for number in range(1, 5):
        play.join(f"h{number}")
    for _ in range(8):
        play.step()
    play.swarm.leave(dies)
    play.fails = lambda transfer: dies in (transfer.source, transfer.to)
    play.run()
    assert dies not in play.swarm.members
    assert all(play.swarm.is_complete(host) for host in ("h1", "h2", "h3", "h4") if host != dies)


def test_a_host_that_comes_late_gets_it_from_the_others():
    play = Play(64, 3)
    while play.swarm.members["h1"].held.bit_count() < 40:
        play.step()
    before = play.sent[None]
    play.join("late")
    play.run()
    assert play.sent[None] - before <= 64 - 40 + 8
    assert play.got("late") == 64


def test_a_host_that_joins_again_is_not_counted_twice():
    play = Play(20, 3)
    play.step()
    held = [chunk for chunk in range(20) if play.swarm.members["h2"].held >> chunk & 1]
    play.join("h2", held=held)
    play.run()
    assert play.swarm._copies == [3] * 20
    assert all(one.giving == 0 and one.sent == 0 for one in play.swarm.members.values())


def test_who_may_yet_be_given_it_by_another_host_is_not_helped_before_that_is_known():
    swarm = Swarm(8)
    swarm.join("h1", range(8), wants=False, can_share=True)
    ((source, to),) = swarm.join("h2", (), wants=True, can_share=True)
    assert swarm.next() == ()
    swarm.reached(source, to, True)
    assert {transfer.source for transfer in swarm.next()} == {"h1"}
    swarm.leave("h2")
    swarm.join("h2", (), wants=True, can_share=True)
    swarm.reached(source, to, False)
    assert {transfer.source for transfer in swarm.next()} == {None}
