"""Offers left out, as a timeline keeps them: together, as compact as they are many."""

from collections import defaultdict
from collections.abc import Iterable

from exchange.domain import places
from exchange.domain.eligibility import LeftOut
from exchange.domain.events import EventName
from exchange.domain.lineup import Plan
from exchange.story.chain import Chain


def note_left_out(chain: Chain, plan: Plan, stage: int, left_out: Iterable[LeftOut]) -> None:
    """Note offers of a stage by reason in one line, apart where there is more to say of some.

    Which clause of its filter each one failed is not noted: story.explaining finds it again.
    """
    together: defaultdict[str | None, list[LeftOut]] = defaultdict(list)
    for some in left_out:
        together[some.detail].append(some)
    for detail, group in together.items():
        named = {one.reason.value: one.offer_ids for one in group if one.offer_ids}
        packed = {one.reason.value: places.pack(one.places) for one in group if one.places}
        chain.note(
            EventName.OFFER_LEFT_OUT,
            stage=stage,
            version=plan.version,
            detail=detail,
            left_out=named or None,
            places=packed or None,
        )
