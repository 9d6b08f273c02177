"""The market of a round: who buys, how badly each behaves, and what each allows."""

from bidders.fleet import BuyerSpec, Fixed, PostFault, Uniform
from bidders.fleet.fleet import WEBHOOKS_PATH
from tests.acceptance.market import buyer, campaign, market
from tests.chaos.books import Cap

DOLLAR = 1_000_000
LEADS_MAX = 8
SPEND_MAX_DOLLARS = 80
POST_MS = 600
DOUBT_S = 20
SHORT_DOUBT_S = 4
"""Where asking again is of no use: the sale is void after that."""

CAPS = (
    Cap("capped", "leads", LEADS_MAX),
    Cap("thrifty", "spend", SPEND_MAX_DOLLARS * DOLLAR),
)
FORGETFUL = frozenset({"forgetful"})

FORGETFUL_MAPPING = """
[[mapping]]
id = "script"
idempotent = false
[mapping.post]
headers = { Idempotency-Key = "{sale.id}" }
accepted = { path = "accepted", equals = [true] }
refused = { path = "accepted", equals = [false] }
[mapping.post.body.json]
sale_id = "{sale.id}"
price = "{sale.price}"
[mapping.post.body.json.lead]
phone = "{lead.phone}"
"""


def buyers() -> list[BuyerSpec]:
    """Return the simulated buyers; the prices let each of them win now and then."""
    any_price = Uniform(5.0, 15.0)
    return [
        BuyerSpec(id="capped", price=any_price),
        BuyerSpec(id="thrifty", price=any_price, post_faults={PostFault.REFUSING: 0.2}),
        BuyerSpec(
            id="slow",
            price=any_price,
            latency_ms=Uniform(20, 150),
            post_latency_ms=Uniform(50, 500),
            post_faults={PostFault.LATE: 0.3, PostFault.LATE_REFUSAL: 0.1},
            late_ms=POST_MS + 400.0,
        ),
        BuyerSpec(
            id="dropping",
            price=any_price,
            post_faults={PostFault.RESETTING: 0.2, PostFault.UNREAD: 0.2, PostFault.HTTP_500: 0.1},
        ),
        BuyerSpec(
            id="silent",
            price=any_price,
            post_faults={PostFault.NEVER: 0.3, PostFault.PENDING: 0.2},
        ),
        BuyerSpec(id="mute", price=any_price, bids=0.3, post_faults={PostFault.MUTE: 0.3}),
        BuyerSpec(
            id="skipped",
            price=any_price,
            post_faults={PostFault.LATE: 0.3, PostFault.BUSY: 0.1},
            late_ms=POST_MS + 200.0,
        ),
        BuyerSpec(
            id="forgetful",
            price=Fixed(11.0),
            post_latency_ms=Uniform(10, 200),
            post_faults={PostFault.NEVER: 0.1, PostFault.RESETTING: 0.1, PostFault.REFUSING: 0.2},
        ),
        BuyerSpec(id="house", price=Fixed(2.0), post_latency_ms=Uniform(10, 200)),
    ]


def text(base_url: str, most: int = 1, action: str = "reject") -> str:
    """Return the market file, for buyers that are reached at this address.

    `most`: so many of those who are asked share a lead; two of them with fewer, or with none.
    `action`: what becomes of a duplicate.
    """
    told = {"ping_ms": 250, "post_ms": POST_MS, "in_doubt_s": DOUBT_S}

    def asked(name: str, **more: object) -> str:
        return buyer(name, base_url, **{**told, **more})

    hook = f'webhook = {{ url = "{base_url}{WEBHOOKS_PATH}" }}'
    post = f'url = "{base_url}/{{0}}/post", timeout_ms = {POST_MS}, on_no_answer = "wait"'
    unasked = "post = {{ {0}, in_doubt_max_s = {1} }}\nprice = {2}\n"
    whole = market(
        FORGETFUL_MAPPING,
        asked("capped", offer=f'caps = [ {{ leads = {LEADS_MAX}, per = "total" }} ]'),
        asked("thrifty", own=f'caps = [ {{ spend = {SPEND_MAX_DOLLARS}, per = "total" }} ]'),
        asked("slow", offer="caps = [ { concurrent = 30 } ]\nshare_with_max = 0"),
        asked(
            "dropping",
            offer='caps = [ { leads = 10000, per = "total" } ]\nshare_with_max = 1',
            post=f'status = {{ url = "{base_url}/dropping/status/{{sale.id}}" }}',
        ),
        asked("silent", offer='caps = [ { leads = 10000, per = "total" } ]'),
        asked("mute", in_doubt_s=SHORT_DOUBT_S, offer="caps = [ { concurrent = 30 } ]"),
        asked("skipped", no_answer="advance", offer='caps = [ { leads = 10000, per = "total" } ]'),
        buyer(
            "forgetful",
            offer=unasked.format(post.format("forgetful"), SHORT_DOUBT_S, "11.00")
            + 'format = "script"\ncaps = [ { spend = 100000, per = "total" } ]',
        ),
        buyer("house", offer=unasked.format(post.format("house"), DOUBT_S, "2.00")),
        campaign(
            lines=f'duplicates = {{ window_hours = 24, on = ["phone"], action = "{action}" }}\n'
            "auction_deadline_ms = 2000\nanswer_deadline_ms = 5000",
            stages=(
                f'method = "auction"\noffers = [{ASKED}]\ntimeout_ms = 300\nmax_buyers = {most}',
                'method = "waterfall"\noffers = ["house"]',
            ),
        ),
    )
    return whole.replace('name = "Fast Quotes"', f'name = "Fast Quotes"\n{hook}')


ASKED = ", ".join(
    f'"{name}"'
    for name in (
        *("capped", "thrifty", "slow", "dropping", "silent", "mute", "skipped", "forgetful"),
    )
)
