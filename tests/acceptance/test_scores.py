"""What a lead's score decides: which stage it meets, and whether it is auctioned at all."""

from bidders.fleet import Fleet
from tests.acceptance.buyers import bidding
from tests.acceptance.market import buyer, campaign, market
from tests.acceptance.timelines import of, offers

VERTICAL = """
[[vertical]]
id = "home"
name = "Home"
[vertical.fields]
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "as_is" }
state = { type = "us_state", privacy = "attribute" }
phone = { type = "phone", privacy = "identity" }
email = { type = "email", privacy = "identity" }
homeowner = { type = "bool", privacy = "attribute" }
rooms = { type = "int", privacy = "attribute" }
floors = { type = "int", privacy = "attribute" }
baths = { type = "int", privacy = "attribute" }
people = { type = "int", privacy = "attribute" }
pets = { type = "int", privacy = "attribute" }
cars = { type = "int", privacy = "attribute" }
trees = { type = "int", privacy = "attribute" }
"""
ANYWHERE = {"zip": "78701", "rooms": 4, "floors": 1}
MANY = {**ANYWHERE, "baths": 1, "people": 2, "pets": 0, "cars": 1, "trees": 2, "homeowner": True}
FAR = "2125550123"
"""A telephone of New York; the ZIP code is one of Texas."""
CONSENT = {"tcpa": True}
CERTIFICATE = "https://cert.trustedform.com/0123456789abcdef0123456789abcdef01234567"

AT = {
    39: ({**ANYWHERE, "baths": 1}, {}),
    40: ({"zip": "78701", "rooms": 4, "phone": FAR}, {"source": "new"}),
    79: (
        {**MANY, "email": "ann@example.com"},
        {"source": "new", "consent": {**CONSENT, "trustedform_url": CERTIFICATE}},
    ),
    80: ({**MANY, "phone": FAR, "email": "ann@example.com"}, {"consent": CONSENT}),
}
"""By score a lead that has it, and how it is sent."""


async def posted(house, score):
    """Post the lead of this score, by somebody new; return its answer and its timeline."""
    lead, control = AT[score]
    answer = await house.post(lead, campaign="home", **control)
    assert (answer.status, answer.body["score"]) == (200, score), answer.body
    return answer.body, await house.timeline(answer.body["lead_id"])


def home(*parts: str, lines: str = "", stages=()) -> str:
    """A market of the vertical of these tests."""
    into = campaign("home", vertical="home", lines=lines, stages=stages)
    return market(VERTICAL, *parts, into)


async def test_every_lead_has_its_score_and_its_model_before_anybody_is_asked(house):
    """Row 28: from 0 to 100, in the answer and in the timeline."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        await house.apply(home(buyer("acme", fleet.base_url, vertical="home")))
        await house.open()
        for score in AT:
            body, timeline = await posted(house, score)
            assert body["status"] == "sold"
            [line] = of(timeline, "scored")
            assert (line["score"], line["model"]) == (score, "rules-1")
            assert line["seq"] < min(one["seq"] for one in of(timeline, "pinged"))


async def test_leads_of_eighty_and_more_are_for_tier_a_alone_and_all_others_for_everybody(house):
    """Row 31: at 80 nobody else is pinged, whatever they would bid; at 79 all are."""
    async with Fleet(bidding({"gold": "9.00", "silver": "10.00", "tin": "50.00"})) as fleet:
        stages = (
            'method = "auction"\noffers = ["gold", "silver"]\nwhen = "score >= 80"',
            'method = "auction"\nwhen = "score < 80"',
        )
        buyers = (buyer(name, fleet.base_url, vertical="home") for name in fleet.specs)
        await house.apply(home(*buyers, stages=stages))
        await house.open()

        body, timeline = await posted(house, 80)
        assert (body["status"], body["price"]) == ("sold", 8.5)  # silver's 10.00 less 15 %
        assert sorted(offers(timeline, "pinged")) == ["gold", "silver"]
        assert fleet.books["tin"].pings == 0

        body, timeline = await posted(house, 79)
        assert (body["status"], body["price"]) == ("sold", 42.5)
        assert sorted(offers(timeline, "pinged")) == ["gold", "silver", "tin"]
        assert {name: book.pings for name, book in fleet.books.items()} == {
            "gold": 2,
            "silver": 2,
            "tin": 1,
        }


async def test_a_lead_below_the_least_score_is_rejected_and_nobody_is_pinged(house):
    """Row 32: with `min_score = 40` a lead of 39 is `low_score`, one of 40 is sold."""
    async with Fleet(bidding({"acme": "12.00"})) as fleet:
        acme = buyer("acme", fleet.base_url, vertical="home")
        await house.apply(home(acme, lines="min_score = 40"))
        await house.open()

        body, timeline = await posted(house, 39)
        assert body["status"] == "rejected"
        assert body["reason"] == {"code": 504, "reason": "low_score", "detail": "min_score 40"}
        assert [one["event"] for one in timeline] == ["received", "validated", "scored", "rejected"]
        assert fleet.books["acme"].pings == 0

        body, timeline = await posted(house, 40)
        assert body["status"] == "sold"
        assert fleet.books["acme"].pings == 1
