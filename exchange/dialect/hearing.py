"""From a whole answer to one of few values: what a buyer said to a ping or to a post."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from exchange.contract.mapping import (
    MappedPingPart,
    MappedPostPart,
    MappedStatusPart,
    ReadPart,
)
from exchange.dialect.answers import Answer, answer_of
from exchange.dialect.document import Found, Kind
from exchange.dialect.faults import Place
from exchange.dialect.reading import Read, Reads, Stated, printable
from exchange.dialect.rules import Met, RuleList, compile_rules, misses
from exchange.dialect.words import number_of, text_of
from exchange.domain.dialect import (
    Declined,
    Heard,
    Miss,
    Offered,
    PingSaid,
    PostSaid,
    PostWord,
    Unclear,
)
from exchange.domain.money import Micros

NO_CONTENT = 204
OKAY = range(200, 300)
TOKEN_MAX = 500
NAME_MAX = 200
CONSENT_MAX = 800
URL_MAX = 2_000
TTL_MAX_S = 86_400
CURRENCY_LENGTH = 3

ReadPrice = Callable[[Answer], Micros | None]
ReadStated = Callable[[Answer], Stated]
NOT_STATED = Stated(is_there=False, amount=None)


class WrongError(Exception):
    """Something in an answer contradicts what was agreed; its words name no value."""


class PingEar(msgspec.Struct, frozen=True):
    """How an answer to a ping is read."""

    yes: RuleList
    no: RuleList
    price: ReadStated | None
    exclusive_price: ReadStated | None
    reads: Mapping[str, Read]

    def read(self, heard: Heard) -> PingSaid:
        """Return what an answer says."""
        if heard.status == NO_CONTENT:
            return Declined()
        answer = answer_of(heard)
        yes, no = believed(self.yes.met(answer), answer), self.no.met(answer)
        if yes is not None and no is not None:
            return Unclear("meets the rules for yes and for no")
        if no is not None:
            return Declined(no.reason)
        if yes is None:
            return Unclear(f"meets neither the rule for yes nor for no, {outside(answer)}")
        try:
            return self._offered(answer, yes)
        except WrongError as error:
            return Unclear(str(error))

    def missed(self, heard: Heard) -> tuple[Miss, ...]:
        """Return where each rule looked in vain, of an answer that meets none."""
        return () if heard.status == NO_CONTENT else misses((self.yes, self.no), answer_of(heard))

    def _offered(self, answer: Answer, yes: Met) -> PingSaid:
        shared = NOT_STATED if self.price is None else self.price(answer)
        alone = NOT_STATED if self.exclusive_price is None else self.exclusive_price(answer)
        if alone.is_there and alone.amount is None:
            raise WrongError("an exclusive price that cannot be read")
        if shared.amount is None and (shared.is_there or (self.price and not alone.amount)):
            raise WrongError("a yes without a price that can be read")
        if shared.amount == 0 and not alone.amount:
            return Declined(yes.reason)
        terms = {name: TERMS[name](read(answer)) for name, read in self.reads.items()}
        return Offered(price=shared.amount, exclusive_price=alone.amount or None, **terms)


class PostEar(msgspec.Struct, frozen=True):
    """How an answer to a post is read."""

    accepted: RuleList
    others: tuple[tuple[PostWord, RuleList], ...]
    """Refused, duplicate, pending."""
    price: ReadPrice | None
    reference: Read | None
    redirect: Read | None

    def read(self, heard: Heard) -> PostSaid:
        """Return what an answer says."""
        answer = answer_of(heard)
        met = {word: found for word, rules in self.others if (found := rules.met(answer))}
        accepted = believed(self.accepted.met(answer), answer)
        if accepted is not None:
            met[PostWord.ACCEPTED] = accepted
        # A duplicate is a refusal, named more exactly.
        refused = met.pop(PostWord.REFUSED, None) if PostWord.DUPLICATE in met else None
        if len(met) != 1:
            return PostSaid(word=PostWord.UNCLEAR, detail=unclear(met, answer))
        word, found = met.popitem()
        return PostSaid(
            word=word,
            detail=found.reason or (refused.reason if refused else None),
            reference=self._reference(answer),
            redirect_url=None if self.redirect is None else url_of(self.redirect(answer)),
            price=None if self.price is None else self.price(answer),
        )

    def missed(self, heard: Heard) -> tuple[Miss, ...]:
        """Return where each rule looked in vain, of an answer that meets none."""
        lists = (self.accepted, *(rules for _, rules in self.others))
        return misses(lists, answer_of(heard))

    def _reference(self, answer: Answer) -> str | None:
        if self.reference is None:
            return None
        try:
            return token_of(self.reference(answer), "reference")
        except WrongError:
            return None


def believed(met: Met | None, answer: Answer) -> Met | None:
    """Return a success only where its rule asked for the status, or the status is one, too."""
    return met if met is not None and (met.asks_status or answer.status in OKAY) else None


def unclear(met: Mapping[PostWord, Met], answer: Answer) -> str:
    """Say why an answer to a post is not understood."""
    if met:
        return f"meets the rules for {' and '.join(sorted(met))}"
    return f"meets no rule, {outside(answer)}"


def outside(answer: Answer) -> str:
    """Return what can be told of an answer that is not understood, without a word of it."""
    page = ", an HTML page" if answer.document.kind is Kind.HTML else ""
    return f"status {answer.status}{page}"


def token_of(value: Found, name: str) -> str | None:
    """Return what a buyer wants to see again, whole; raise WrongError for what cannot be kept."""
    if value is None or value == "":
        return None
    text = None if isinstance(value, dict | list) else text_of(value)
    if text is None or len(text) > TOKEN_MAX or not text.isprintable():
        raise WrongError(f"{name} is no text of at most {TOKEN_MAX} printable characters")
    return text.strip() or None


def currency_of(value: Found) -> str | None:
    """Return a currency's code; raise WrongError for what is none."""
    text = printable(value, NAME_MAX)
    if text is None:
        return None
    if len(text) != CURRENCY_LENGTH or not text.isascii() or not text.isalpha():
        raise WrongError("currency is no code of three letters")
    return text.upper()


def ttl_of(value: Found) -> int | None:
    """Return for how many seconds a bid holds; raise WrongError for what cannot be."""
    if value is None or value == "":
        return None
    number = number_of(value)
    if number is None or not 1 <= number <= TTL_MAX_S:
        raise WrongError("ttl_s out of range")
    return int(number)


def url_of(value: Found) -> str | None:
    """Return an http(s) address that a browser may be sent to, or None for what is none."""
    text = text_of(value) if isinstance(value, str) else None
    if text is None:
        return None
    text = text.strip()
    if len(text) > URL_MAX or not text.isascii() or not text.isprintable():
        return None
    if any(character in ' "<>\\^`{|}' for character in text):
        return None
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return (
        text if parts.scheme in {"http", "https"} and has_host and "@" not in parts.netloc else None
    )


TERMS: dict[str, Callable[[Found], Any]] = {
    "token": lambda value: token_of(value, "token"),
    "bid_id": lambda value: token_of(value, "bid_id"),
    "currency": currency_of,
    "ttl_s": ttl_of,
    "buyer_name": lambda value: printable(value, NAME_MAX),
    "consent_text": lambda value: printable(value, CONSENT_MAX),
}
"""All that a bid may bring beside its price, and what of it is kept."""


def ping_ear(part: MappedPingPart, place: Place) -> PingEar:
    """Return how answers to pings are read; what is wrong is kept at its place."""
    reads = Reads(pages=part.html)
    if part.yes == ():
        place.at("yes").fault("needs a rule: what is not named is not success")
    return PingEar(
        yes=compile_rules(part.yes, place.at("yes"), reads),
        no=compile_rules(part.no, place.at("no"), reads),
        price=None if part.price is None else reads.stated(part.price, place.at("price")),
        exclusive_price=None
        if part.exclusive_price is None
        else reads.stated(part.exclusive_price, place.at("exclusive_price")),
        reads={
            name: reads.read(read, place.at(name))
            for name in TERMS
            if (read := getattr(part, name)) is not None
        },
    )


def post_ear(part: MappedPostPart, place: Place) -> PostEar:
    """Return how answers to posts are read; what is wrong is kept at its place."""
    return _ear(part, (PostWord.REFUSED, PostWord.DUPLICATE, PostWord.PENDING), place)


def status_ear(part: MappedStatusPart, place: Place) -> PostEar:
    """Return how answers to questions about a sale are read; what is wrong is kept likewise."""
    return _ear(part, (PostWord.REFUSED, PostWord.PENDING), place)


def _ear(
    part: MappedPostPart | MappedStatusPart, words: tuple[PostWord, ...], place: Place
) -> PostEar:
    reads = Reads(pages=part.html)

    def optional(name: str, read: ReadPart | None) -> Read | None:
        return None if read is None else reads.read(read, place.at(name))

    if part.accepted == ():
        place.at("accepted").fault("needs a rule: what is not named is not success")
    return PostEar(
        accepted=compile_rules(part.accepted, place.at("accepted"), reads),
        others=tuple(
            (word, compile_rules(getattr(part, word), place.at(word), reads)) for word in words
        ),
        price=None if part.price is None else reads.price(part.price, place.at("price")),
        reference=optional("reference", part.reference),
        redirect=optional("redirect", part.redirect),
    )
