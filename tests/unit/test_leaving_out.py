"""Offers left out of a lead are on its timeline and in the metrics, each once, however many."""

from dataclasses import replace as changed

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from exchange.configuration.compiling.plans import plans_of
from exchange.domain import places
from exchange.domain.events import EventName
from exchange.domain.lineup import LISTED_MAX, Lineup, plan_of
from exchange.domain.reason import Reason
from exchange.story.story import Story
from exchange.telemetry.metrics import Metrics
from tests.making import a_campaign, a_stage, an_offer
from tests.making_story import BUYERS, Scene

MANY = LISTED_MAX + 8


def a_scene(count, *more_stages):
    """A market in which so many offers are paused, and the metrics that count for it."""
    scene = Scene()
    paused = {f"idle-{n}": an_offer(f"idle-{n}", paused=True) for n in range(count)}
    offers = {**scene.snapshot.offers, **paused}
    stages = (a_stage(*offers), *more_stages)
    campaigns = {"auto-us": a_campaign(stages=stages)}
    plans = plans_of(1, campaigns.values(), offers, scene.snapshot.verticals)
    scene.snapshot = replace(scene.snapshot, offers=offers, campaigns=campaigns, plans=plans)
    metrics = Metrics(CollectorRegistry())
    stations = changed(scene.stations, observer=metrics)
    scene.story = Story(stations, scene, scene, lambda: scene.snapshot, scene, scene)
    return scene, metrics


def left_out(scene):
    """All that the timeline says of offers left out: stage, reason and who, by name."""
    told = []
    for moment in scene.moments.values():
        for event in moment.events:
            if event.event is not EventName.OFFER_LEFT_OUT:
                continue
            lineup = scene.snapshot.plans["auto-us"].lineup(event.stage)
            for code, names in (event.left_out or {}).items():
                assert 0 < len(names) <= LISTED_MAX
                told += [(event.stage, Reason(code), name) for name in names]
            for code, packed in (event.places or {}).items():
                names = places.picked(lineup.offer_ids, places.unpack(packed))
                assert len(names) > LISTED_MAX
                told += [(event.stage, Reason(code), name) for name in names]
    return told


@pytest.mark.parametrize("count", [0, 3, MANY])
async def test_each_is_told_and_counted_once(count):
    """What a timeline keeps as places is counted like what it lists."""
    scene, metrics = a_scene(count)
    assert (await scene.sell()).status == "sold"
    await scene.end()
    idle = [f"idle-{n}" for n in range(count)]
    assert left_out(scene) == [(1, Reason.PAUSED, name) for name in idle]
    metrics.hand_over()
    counted = {
        sample.labels["offer"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "exchange_offer_left_out_total"
    }
    assert counted == dict.fromkeys(idle, 1.0)


@pytest.mark.parametrize("count", [2, MANY])
async def test_offers_of_stages_that_were_not_reached_are_outbid_unless_they_were_looked_at(count):
    """The lead was sold before; who stood in the stage that sold it has its word already."""
    late = [f"late-{n}" for n in range(count)]
    scene, _ = a_scene(0, a_stage("acme", *late, number=2))
    offers = {**scene.snapshot.offers, **{name: an_offer(name) for name in late}}
    campaigns = scene.snapshot.campaigns
    plans = plans_of(1, campaigns.values(), offers, scene.snapshot.verticals)
    scene.snapshot = replace(scene.snapshot, offers=offers, plans=plans)
    assert (await scene.sell()).status == "sold"
    await scene.end()
    assert left_out(scene) == [(2, Reason.OUTBID, name) for name in late]


def test_a_plan_knows_who_is_new_in_each_stage():
    """An offer that stands in several stages is a newcomer in the first of them alone."""
    offers = {name: an_offer(name) for name in (*BUYERS, "dora")}
    lineups = [
        Lineup([offers[name] for name in names])
        for names in (("acme", "bravo"), ("bravo", "cargo", "acme"), ("acme",), ("dora", "acme"))
    ]
    plan = plan_of(1, lineups, remembers=False)
    told = {
        ended_in: [(stage, some.offer_ids) for stage, some in plan.not_reached(ended_in)]
        for ended_in in (1, 2, 3, 4)
    }
    assert told == {
        1: [(2, ("cargo",)), (4, ("dora",))],
        2: [(4, ("dora",))],
        3: [(4, ("dora",))],
        4: [],
    }
