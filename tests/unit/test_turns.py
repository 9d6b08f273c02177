"""The law of turns, on the very Lua function that gives them: fair, whatever comes between."""

from collections import Counter
from itertools import count
from pathlib import Path

import hiredis
from hypothesis import given, settings
from hypothesis import strategies as st
from lupa.lua51 import LuaRuntime

from exchange.domain.turns import Candidate, Turn, by_lot
from exchange.market.function import TURN

STORE = Path(__file__).parents[1] / "simulation" / "store.lua"


class Stage:
    """A stage whose turns stand in a store of its own."""

    def __init__(self, weights, *, follows=False):
        runtime = LuaRuntime(encoding=None, register_eval=False, unpack_returned_tuples=False)
        self.store = runtime.execute(STORE.read_bytes())
        self.store[b"load"](TURN.digest, TURN.source)
        self.weights = weights
        self.mode = "a" if follows else "w"
        self.leads = count()

    def turn(self, names, step=1, refused="", chosen="", lead=None):
        """Return the candidates in the order of their turns."""
        lead = f"lead-{next(self.leads)}" if lead is None else lead
        said = [step, self.mode, refused, chosen, 10**9, 10**6]
        for name in names:
            said += [name, self.weights[name]]
        keys = ("{campaign:c}:turns:1", f"{{campaign:c}}:turn:{lead}")
        told = [part if isinstance(part, bytes) else str(part).encode() for part in (*keys, *said)]
        reader = hiredis.Reader()
        reader.feed(self.store[b"call"](0, TURN.digest, 2, *told))
        return [name.decode() for name in reader.gets()]

    def winner(self, *names, **how):
        return self.turn(names or self.weights, **how)[0]


weights = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 60), min_size=1)


@given(weights)
@settings(max_examples=50)
def test_after_a_round_everybody_has_had_exactly_its_weight(weights):
    """In as many turns as all weights together make, each offer has its own number of them."""
    stage = Stage(weights)
    assert Counter(stage.winner() for _ in range(sum(weights.values()))) == weights


@given(weights, st.integers(1, 200))
@settings(max_examples=50)
def test_at_no_moment_is_anybody_more_than_one_round_ahead(weights, turns):
    """Smooth: nobody is further from its share than one turn for each of the others."""
    stage, total = Stage(weights), sum(weights.values())
    had = Counter(stage.winner() for _ in range(turns))
    for name, weight in weights.items():
        assert abs(had[name] - turns * weight / total) <= len(weights)


def test_sixty_to_forty_over_a_thousand_leads():
    """Row 49: 600 and 400."""
    stage = Stage({"big": 60, "small": 40})
    assert Counter(stage.winner() for _ in range(1000)) == {"big": 600, "small": 400}


@given(st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=150))
@settings(max_examples=50)
def test_who_is_left_out_for_a_while_neither_loses_nor_catches_up(rounds):
    """Among those who were candidates together throughout, turns stay equal within two."""
    stage = Stage(dict.fromkeys("abcd", 1))
    had = Counter(stage.winner(*sorted(names)) for names in rounds)
    for pair in ("ab", "cd"):
        together = [names for names in rounds if names >= set(pair)]
        if len(together) == len(rounds):
            assert abs(had[pair[0]] - had[pair[1]]) <= 2


def test_a_turn_that_comes_to_nothing_is_had_and_the_next_takes_one_of_its_own():
    """One of three refuses everything: it has a third of all first turns' worth, no more."""
    stage = Stage(dict.fromkeys("abc", 1))
    had, sold = Counter(), Counter()
    for number in range(300):
        lead, left, refused = f"lead-{number}", ["a", "b", "c"], ""
        for step in (1, 2):
            name = stage.turn(left, step, refused, lead=lead)[0]
            had[name] += 1
            if name != "a":
                sold[name] += 1
                break
            left.remove(name)
            refused = name
    assert sold["b"] == sold["c"] == 150
    assert had["a"] <= 151


def test_the_same_question_again_is_the_same_turn():
    """A call that was sent twice, over a broken connection, gives one turn."""
    stage = Stage(dict.fromkeys("abc", 1))
    first = stage.turn("abc", lead="one")
    assert stage.turn("abc", lead="one") == first
    assert [stage.winner() for _ in range(2)] == ["b", "c"]


def test_a_look_changes_nothing_and_a_promise_is_kept():
    """A quote looks; its post takes the turn of the one that was promised."""
    stage = Stage(dict.fromkeys("abc", 1))
    assert [stage.winner(step=0) for _ in range(3)] == ["a", "a", "a"]
    assert stage.turn("abc", chosen="c") == ["c", "a", "b"]
    assert [stage.winner() for _ in range(2)] == ["a", "b"]


def test_another_weight_begins_anew():
    """What was earned under the old weight is no debt under the new one."""
    stage = Stage({"a": 1000, "b": 1})
    for _ in range(400):
        stage.winner()
    stage.weights = {"a": 1, "b": 1}
    had = Counter(stage.winner() for _ in range(10))
    assert had == {"a": 5, "b": 5}


def test_weights_follow_acceptance():
    """Row 49: who refuses half of its turns gets fewer of them, and never none."""
    stage = Stage({"keen": 50, "picky": 50}, follows=True)
    had, refusals = Counter(), 0
    for number in range(2000):
        lead = f"lead-{number}"
        name = stage.winner(lead=lead)
        had[name] += 1
        if name == "picky":
            refusals += 1
            if refusals % 2:
                stage.turn(["keen"], 2, "picky", lead=lead)
    share = had["picky"] / had.total()
    assert 0.30 < share < 0.36  # one to one half: a third


def test_a_refusal_with_nobody_left_counts_like_any_other():
    """Who had most leads to itself, and refused them all, has fewer turns beside others."""
    stage = Stage({"keen": 50, "picky": 50}, follows=True)
    for number in range(100):
        lead = f"alone-{number}"
        assert stage.winner("picky", lead=lead) == "picky"
        for _ in range(2):  # a call that was sent twice is one refusal
            assert stage.turn([], 2, "picky", lead=lead) == []
    had = Counter(stage.winner() for _ in range(20))
    assert had["keen"] > 15
    assert had["picky"] >= 1


@given(weights, st.integers(0, 10**6))
def test_the_lot_names_everybody_once_and_the_promised_first(weights, number):
    """Where market state says nothing, the order is still one of all."""
    candidates = tuple(Candidate(name, weight) for name, weight in weights.items())
    turn = Turn(scope="campaign:c", stage=1, lead_id=f"l{number}", step=1, candidates=candidates)
    assert sorted(by_lot(turn)) == sorted(weights)
    last = candidates[-1].offer_id
    promised = Turn(
        scope="campaign:c", stage=1, lead_id="l", step=1, candidates=candidates, chosen=last
    )
    assert by_lot(promised)[0] == last


def test_the_lot_is_fair_on_average():
    """Weights 60 and 40 over many leads."""
    candidates = (Candidate("big", 60), Candidate("small", 40))
    first = Counter(
        by_lot(Turn(scope="s", stage=1, lead_id=f"l{number}", step=1, candidates=candidates))[0]
        for number in range(5000)
    )
    assert 2850 < first["big"] < 3150
