"""What a buyer gave back with an acceptance may repeat the person: operators see it without.

Its seller hears a redirect's address as it is: the person is to go there.
"""

import msgspec

from exchange.contract.seller import LeadAnswer
from exchange.contract.standing import SaleStanding, Standing
from exchange.domain.person import Person, masked_message
from exchange.story.record import read


def veiled(standing: Standing, record: bytes | None) -> Standing:
    """Return where a lead stands with the person masked in what its buyers gave back.

    Without the record nothing could be masked, and nothing of it is shown.
    """
    person = None if record is None else read(record).person
    shown: Standing = msgspec.structs.replace(
        standing,
        answer=answer_without(standing.answer, person),
        sales=tuple(sale_without(sale, person) for sale in standing.sales),
    )
    return shown


def answer_without(answer: LeadAnswer, person: Person | None) -> LeadAnswer:
    """Return what the seller heard, its addresses masked."""
    sales = tuple(
        msgspec.structs.replace(sale, redirect_url=words_without(sale.redirect_url, person))
        for sale in answer.sales
    )
    original = answer.original
    if isinstance(original, msgspec.Struct):
        told = words_without(original.redirect_url, person)
        original = msgspec.structs.replace(original, redirect_url=told)
    shown: LeadAnswer = msgspec.structs.replace(answer, sales=sales, original=original)
    return shown


def sale_without(sale: SaleStanding, person: Person | None) -> SaleStanding:
    """Return a sale whose buyer's words are masked."""
    shown: SaleStanding = msgspec.structs.replace(
        sale,
        reference=words_without(sale.reference, person),
        redirect_url=words_without(sale.redirect_url, person),
    )
    return shown


def words_without(words: str | None, person: Person | None) -> str | None:
    """Return a buyer's words without the person, in whatever spelling."""
    return None if words is None or person is None else masked_message(words, person)
