"""The main job: a lead comes in, real buyers are asked, the best one gets it, the books agree."""

from decimal import Decimal

from bidders.fleet import BuyerSpec, Fixed, Fleet
from tests.acceptance.market import buyer, campaign, market


async def test_the_best_bid_gets_the_lead_and_the_seller_its_payout(house):
    """One lead, three buyers over HTTP: the highest bid is sold to, 15 % stay, all is booked."""
    specs = [
        BuyerSpec(id=name, price=Fixed(Decimal(price)))
        for name, price in (("acme", "12.00"), ("bravo", "13.00"), ("cargo", "9.00"))
    ]
    async with Fleet(specs) as fleet:
        await house.apply(market(*(buyer(spec.id, fleet.base_url) for spec in specs), campaign()))
        await house.open()
        answer = await house.post()
        assert (answer.status, answer.body["status"]) == (200, "sold")
        assert answer.body["price"] == 11.05
        sale_id = answer.body["sales"][0]["sale_id"]
        assert fleet.books["bravo"].accepted() == {sale_id: Decimal("13.00")}
        assert not fleet.books["acme"].sales
        async with house.ledger() as ledger:
            assert await ledger.balance("seller/fastquotes") == {"USD": 11_050_000}
            assert await ledger.balance("buyer/bravo") == {"USD": -13_000_000}
            assert await ledger.balance("margin/auto-us") == {"USD": 1_950_000}
            assert set((await ledger.sums()).values()) == {0}
