"""A buyer needs no endpoint of its own: leads come as text messages, mails or records of a CRM."""

import base64
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.acceptance.audit import at_rest
from tests.acceptance.foreign import Says, foreign
from tests.acceptance.house import ANN
from tests.acceptance.market import SELLERS, campaign

CONFIG = Path(__file__).parents[2] / "config"
VERTICAL = (CONFIG / "verticals" / "auto_insurance.toml").read_text()

GATEWAYS = {
    "sms-gateway": (
        '{ account = "AC1", token = "{secret:gateway}", from = "+15125550100", to = "+1512555" }',
        Says('{"sid": "SM7", "status": "queued"}', status=201),
        Says('{"code": 21211, "message": "no such number"}', status=400),
        "SM7",
    ),
    "mail-gateway": (
        '{ token = "{secret:gateway}", from = "leads@x.example", to = "sales@acme.example" }',
        Says('{"ErrorCode": 0, "Message": "OK", "MessageID": "m-7"}'),
        Says('{"ErrorCode": 406, "Message": "inactive recipient"}', status=422),
        "m-7",
    ),
    "crm-rest": (
        '{ key = "{secret:gateway}" }',
        Says('{"id": 991}', status=201),
        Says('{"error": "not wanted"}', status=422),
        "991",
    ),
}
PROOF = {
    "sms-gateway": ("Authorization", "Basic " + base64.b64encode(b"AC1:s3cret").decode()),
    "mail-gateway": ("X-Server-Token", "s3cret"),
    "crm-rest": ("Authorization", "Bearer s3cret"),
}


def a_buyer(server, gateway, params):
    return f"""
[[buyer]]
id = "acme"
[[buyer.offer]]
id = "acme"
vertical = "auto_insurance"
price = 9.00
format = "{gateway}"
params = {params}
post = {{ url = "{server.base_url}/gateway/post", on_no_answer = "advance" }}
"""


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_lead_is_delivered_by_a_gateway_and_a_refusal_sells_nothing(house, gateway):
    """Who and how to call stands in the message; its id is the sale's reference."""
    params, yes, no, reference = GATEWAYS[gateway]
    mapping = (CONFIG / "mappings" / f"{gateway}.toml").read_text()
    async with foreign(gateway_post=[yes, no]) as server:
        await house.secret("gateway", "s3cret")
        await house.apply(
            "\n".join((VERTICAL, SELLERS, mapping, a_buyer(server, gateway, params), campaign()))
        )
        await house.open()
        sold = await house.post()
        assert (sold.body["status"], sold.body["price"]) == ("sold", 7.65)
        view = await house.admin(sold.body["lead_id"])
        lead = {**ANN, "phone": "(512) 555-0177", "email": "ben@example.com"}
        refused = await house.post(lead)
        assert (refused.body["status"], refused.body["reason"]["code"]) == ("unsold", 509)
        first, second = server.seen["/gateway/post"]
    [sale] = view["sales"]
    assert sale["reference"] == reference
    name, value = PROOF[gateway]
    assert first.header(name) == [value]
    # A form has its plus signs escaped, JSON has them as they are.
    said = unquote(first.body.decode())
    assert "+15125550123" in said
    assert "Ann" in said
    assert b"0177" in second.body
    await at_rest(house)
