"""Market files for tests, put together from parts."""

from collections.abc import Iterable

AUTO = """
[[vertical]]
id = "auto_insurance"
name = "Auto insurance"
[vertical.fields]
first_name = { type = "name", privacy = "identity", post = "required" }
last_name = { type = "name", privacy = "identity" }
phone = { type = "phone", privacy = "identity", post = "required", show = "hash" }
email = { type = "email", privacy = "identity", post = "required", show = "hash" }
zip = { type = "us_zip", privacy = "quasi", ping = "required", show = "as_is" }
birth_date = { type = "date", privacy = "quasi", show = "age_band" }
state = { type = "us_state", privacy = "attribute" }
currently_insured = { type = "bool", privacy = "attribute", ping = "required" }
credit = { type = "choice", privacy = "attribute", values = ["poor", "fair", "good", "excellent"] }
vehicle_year = { type = "int", privacy = "attribute", min = 1950, max = 2030 }
"""

SELLERS = """
[[seller]]
id = "fastquotes"
name = "Fast Quotes"
source = [ { id = "search", channel = "search" } ]

[[seller]]
id = "other"
name = "Other Leads"
"""


def buyer(
    name: str,
    base_url: str | None = None,
    *,
    own: str = "",
    offer: str = "",
    ping_ms: int = 300,
    post_ms: int = 2000,
    no_answer: str = "wait",
    in_doubt_s: int = 120,
    post: str = "",
    vertical: str = "auto_insurance",
) -> str:
    """Return a buyer with one offer of the same name, called where a fleet's buyer listens.

    `own` and `offer` are further lines of the buyer and of its offer, `post` further keys of its
    post; no `base_url`: it competes unasked and has nowhere to post to.
    """
    more = f", {post}" if post else ""
    calls = (
        ""
        if base_url is None
        else (
            f'ping = {{ url = "{base_url}/{name}/ping", timeout_ms = {ping_ms} }}\n'
            f'post = {{ url = "{base_url}/{name}/post", timeout_ms = {post_ms}, '
            f'on_no_answer = "{no_answer}", in_doubt_max_s = {in_doubt_s}{more} }}\n'
        )
    )
    return f"""
[[buyer]]
id = "{name}"
name = "{name.title()}"
{own}
[[buyer.offer]]
id = "{name}"
vertical = "{vertical}"
{calls}{offer}
"""


def campaign(
    name: str = "auto-us",
    *,
    lines: str = "",
    stages: Iterable[str] = (),
    vertical: str = "auto_insurance",
    sellers: str = '"fastquotes"',
) -> str:
    """Return a campaign of the seller fastquotes with a margin of 15 %, one auction by default."""
    told = "\n".join(f"[[campaign.stage]]\n{stage}" for stage in stages)
    return f"""
[[campaign]]
id = "{name}"
vertical = "{vertical}"
sellers = [{sellers}]
margin = {{ percent = 15 }}
{lines}
{told}
"""


def market(*parts: str) -> str:
    """Return a whole market: the vertical, two sellers, and these parts."""
    return "\n".join((AUTO, SELLERS, *parts))
