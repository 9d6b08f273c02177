"""What can be switched on, one at a time: market files that differ in nothing else.

Each market has two campaigns with sellers and ten buyers of their own, alike but for one feature.
What a feature needs on both sides to be seen (turns: prices that nobody is asked for) is `alike`.
"""

from collections.abc import Mapping

import msgspec

from bench.serving import VERTICAL

OFF, ON = "off", "on"
"""The two campaigns, and their sellers."""

PARTS: Mapping[str, str] = {
    "vertical": "auto_insurance",
    "seller": "",
    "buyer": "",
    "account": "",
    "offer": "",
    "leads_cap": '{ leads = 900000, per = "day" }',
    "asked": "",
    "price": "",
    "campaign": "",
    "margin": "{ percent = 15 }",
    "duplicates": "{ window_hours = 24 }",
    "tables": "",
    "before": "",
    "stage": 'method = "auction"',
    "more": "",
}
"""What stands at the places of a market of which nothing is switched on."""

CAMPAIGN = """
[[seller]]
id = "{id}"
{seller}
[[campaign]]
id = "{id}"
vertical = "{vertical}"
sellers = ["{id}"]
floor = 1.00
margin = {margin}
auction_deadline_ms = 2000
duplicates = {duplicates}
{campaign}
{tables}
{before}
[[campaign.stage]]
{stage}
offers = [{offers}]
{buyers}"""

BUYER = """
[[buyer]]
id = "{id}"
time_zone = "America/Chicago"
caps = [ {{ spend = 900000.00, per = "day" }} ]
{buyer}
{account}
[[buyer.offer]]
id = "{id}"
vertical = "{vertical}"
where = 'state in ["TX", "OK"] and age >= 25'
caps = [ {leads_cap}, {{ concurrent = 500 }} ]
post = {{ url = "{fleet}/{id}/post", timeout_ms = 5000, on_no_answer = "wait" }}
{offer}
{bid}
"""

ASKED = 'ping = {{ url = "{fleet}/{id}/ping", timeout_ms = 1500, max_bid = {most}.00{asked} }}'

MOST = 60
"""Nobody bids more; that nobody may is said by every offer, each with a figure of its own."""

FLEET = """
[[buyer]]
id = "{id}"
price = {{ shape = "lognormal", median = 12.0, spread = 0.3, high = {most} }}
"""

FLOORS = """
[campaign.floors]
fields = ["state", "hour"]
[campaign.floors.values]
"TX|*" = 1.10
"OK,NM|*" = 1.05
"NY,NJ|*" = 3.00
"CA|8-17" = 4.00
"CA|*" = 3.50
"FL|*" = 2.50
"*|22-23" = 1.00
"*|0-5" = 1.00
"WA|*" = 2.00
"OR|*" = 2.00
"""

LEARNED = """
[campaign.learn_floor]
explore = 0.20
min = 1.00
max = 30.00
hours = 6
auctions = 20
days = 28
"""

RULE = """
[[campaign.stage]]
method = "rule"
when = 'state == "HI" and homeowner'
offers = ["desk"]
"""

DESK = """
[[buyer]]
id = "desk"
[[buyer.offer]]
id = "desk"
vertical = "auto_insurance"
price = 9.00
"""

ACCOUNT = """
[[buyer.account]]
id = "branch"
caps = [ { leads = 900000, per = "day" } ]
"""

COUNTED = VERTICAL.read_text(encoding="utf-8").replace(
    'id = "auto_insurance"', 'id = "counted"\nanonymity = { window_days = 30 }', 1
)


class Switch(msgspec.Struct, frozen=True):
    """A feature: what stands elsewhere where it is on, and what must on both sides."""

    what: str
    on: Mapping[str, str]
    alike: Mapping[str, str] = {}


IN_TURN = {"price": "price = 12.00", "stage": 'method = "waterfall"'}

SWITCHES = {
    "seller_leads": Switch(
        "a limit of a seller's leads", {"seller": 'caps = [ { leads = 900000, per = "day" } ]'}
    ),
    "seller_pings": Switch(
        "a limit of a seller's pings", {"seller": 'caps = [ { pings = 90000000, per = "day" } ]'}
    ),
    "rates": Switch("rates of ten offers", {"asked": ", rate = { per_second = 10000 }"}),
    "paces": Switch(
        "a pace of ten caps", {"leads_cap": '{ leads = 90000000, per = "day", pace = true }'}
    ),
    "accounts": Switch(
        "ten accounts with caps", {"account": ACCOUNT, "offer": 'account = "branch"'}
    ),
    "buyers_pilots": Switch(
        "buyers and offers in pilots",
        {
            "buyer": "pilot = { leads = 900000, spend = 9000000.00 }",
            "offer": "pilot = { leads = 900000, spend = 9000000.00 }",
        },
    ),
    "sellers_pilots": Switch(
        "a seller and its campaign in pilots, of leads and money",
        {
            "seller": "pilot = { leads = 900000, payout = 9000000.00 }",
            "campaign": "pilot = { leads = 900000, spend = 9000000.00 }",
        },
    ),
    "known": Switch(
        "ten buyers who are not asked for whom they know",
        {"buyer": "duplicates = { window_hours = 720 }"},
    ),
    "merging": Switch(
        "duplicates are merged; this lead is none",
        {"duplicates": '{ window_hours = 24, action = "merge" }'},
    ),
    "second_price": Switch(
        "second price", {"stage": 'method = "auction"\nprice_rule = "second_price"'}
    ),
    "relaxed": Switch("a margin that may shrink", {"margin": "{ percent = 15, relax_to = 10 }"}),
    "floors": Switch("floors by ten rules", {"tables": FLOORS}),
    "learned_floors": Switch("a learned floor, a fifth explores", {"tables": LEARNED}),
    "expected_value": Switch(
        "ranking by expected value", {"campaign": 'rank_by = "expected_value"'}
    ),
    "early_close": Switch("early close", {"stage": 'method = "auction"\nearly_close = true'}),
    "rule": Switch("a rule before the auction, of other leads", {"before": RULE, "more": DESK}),
    "shared": Switch(
        "a lead that three may share", {"stage": 'method = "auction"\nmax_buyers = 3'}
    ),
    "notices": Switch(
        "notices to all ten bidders", {"offer": 'notices = { url = "{fleet}/{id}/notices" }'}
    ),
    "anonymity": Switch(
        "how many people a ping could be about", {"vertical": "counted", "more": COUNTED}
    ),
    "turns": Switch(
        "round robin, against a waterfall of the same ten prices",
        {"stage": 'method = "round_robin"'},
        alike=IN_TURN,
    ),
}
"""By the name that the command line has for it."""


def market(switch: Switch, fleet: str, buyers: int) -> str:
    """Return the market file of a switch: a campaign where it is off, and one where it is on."""
    off = {**PARTS, **switch.alike}
    sides = {OFF: off, ON: {**off, **switch.on}}
    told = (campaign(side, parts, fleet, buyers) for side, parts in sides.items())
    return "".join((*(parts["more"] for parts in sides.values()), *told))


def campaign(side: str, parts: Mapping[str, str], fleet: str, buyers: int) -> str:
    """Return a campaign with its seller and its buyers."""
    ids = [buyer_id(side, number) for number in range(1, buyers + 1)]
    offers = ", ".join(f'"{one}"' for one in ids)
    told = "".join(buyer(one, MOST + number, parts, fleet) for number, one in enumerate(ids))
    return CAMPAIGN.format(**{**parts, "id": side, "offers": offers, "buyers": told})


def buyer(name: str, most: int, parts: Mapping[str, str], fleet: str) -> str:
    """Return a buyer with its one offer, which has a price or is asked for one, `most` at most."""
    place = {"fleet": fleet, "id": name, "most": most}
    offer = parts["offer"].replace("{fleet}", fleet).replace("{id}", name)
    bid = parts["price"] or ASKED.format(**{**parts, **place})
    return BUYER.format(**{**parts, **place, "offer": offer, "bid": bid})


def fleet_text(buyers: int) -> str:
    """Return the simulated buyers of both sides, all bidding at once and taking everything."""
    ids = [buyer_id(side, number) for side in (OFF, ON) for number in range(1, buyers + 1)]
    return "seed = 7\n" + "".join(FLEET.format(id=one, most=MOST) for one in ids)


def buyer_id(side: str, number: int) -> str:
    """Return the id of a buyer, and of its one offer, by its number from 1."""
    return f"{side}-{number:02d}"
