"""What a buyer's code says to a ping and to a post, checked when it is said."""

from decimal import Decimal, InvalidOperation

import msgspec

from exchange.contract.buyer import BidAnswer, PostAnswer

Price = Decimal | int | str
"""An exact amount: `Decimal("12.50")`, `12` or `"12.50"`."""

PRICE_MAX = Decimal(1_000_000_000)
SMALLEST = Decimal("0.000001")


class PriceError(ValueError):
    """A price is an exact number such as Decimal("12.50"), above zero, with up to six decimals."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class Bid(msgspec.Struct, frozen=True):
    """An offer to buy the pinged lead at `price`, for the number of buyers that was pinged.

    `exclusive_price` is what the lead is worth without other buyers; `ttl_s` for how long the
    price holds; `currency` must be the auction's and may be left out. Raises `PriceError`.
    """

    price: Price
    bid_id: str | None = None
    exclusive_price: Price | None = None
    currency: str | None = None
    ttl_s: int | None = None
    buyer_name: str | None = None
    consent_text: str | None = None

    def __post_init__(self) -> None:
        """Refuse a price that the exchange would refuse."""
        exact(self.price)
        if self.exclusive_price is not None:
            exact(self.exclusive_price)

    def answer(self) -> BidAnswer:
        """Return the bid as it goes over the wire."""
        return BidAnswer(
            bid=exact(self.price),
            bid_id=self.bid_id,
            exclusive_bid=None if self.exclusive_price is None else exact(self.exclusive_price),
            currency=self.currency,
            ttl_s=self.ttl_s,
            buyer_name=self.buyer_name,
            consent_text=self.consent_text,
        )


class NoBid(msgspec.Struct, frozen=True):
    """No interest in this lead; the reason, where given, shows in the exchange's timeline."""

    reason: str | None = None

    def answer(self) -> BidAnswer | None:
        """Return the refusal as it goes over the wire; None is 204 without a body."""
        return None if self.reason is None else BidAnswer(bid=Decimal(0), reason=self.reason)


class Accepted(msgspec.Struct, frozen=True):
    """The lead is taken and will be paid.

    `reference` is the buyer's own number for it, `redirect_url` where the person may go on;
    `price` only where less than the posted price will be paid, which the exchange flags.
    """

    reference: str | None = None
    redirect_url: str | None = None
    price: Price | None = None

    def __post_init__(self) -> None:
        """Refuse a price that the exchange could not read."""
        if self.price is not None:
            exact(self.price)

    def answer(self) -> PostAnswer:
        """Return the acceptance as it goes over the wire."""
        return PostAnswer(
            accepted=True,
            reference=self.reference,
            redirect_url=self.redirect_url,
            price=None if self.price is None else exact(self.price),
        )


class Refused(msgspec.Struct, frozen=True):
    """The lead is not taken and not paid; the exchange offers it to the next buyer."""

    reason: str

    def answer(self) -> PostAnswer:
        """Return the refusal as it goes over the wire."""
        return PostAnswer(accepted=False, reason=self.reason)


class Pending(msgspec.Struct, frozen=True):
    """Not decided yet: the buyer tells when the same post comes again, under the same key."""

    def answer(self) -> PostAnswer:
        """Return the open answer as it goes over the wire."""
        return PostAnswer(accepted=None)


def exact(price: Price) -> Decimal:
    """Return `price` as a plain decimal without an exponent; raises `PriceError`."""
    if isinstance(price, bool) or not isinstance(price, Decimal | int | str):
        raise PriceError
    try:
        amount = Decimal(price)
    except InvalidOperation:
        raise PriceError from None
    if not amount.is_finite() or not 0 < amount <= PRICE_MAX:
        raise PriceError
    rounded = amount.quantize(SMALLEST)
    if rounded != amount:
        raise PriceError
    return Decimal(format(rounded.normalize(), "f"))
