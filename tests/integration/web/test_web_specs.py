"""Specs over HTTP: by Accept, by link, within the same policy as every page."""

import pytest

from exchange.web.specs.links import Kind
from tests.integration.web.test_web_pages import page
from tests.making import NOW_US

SPEC = "/v1/campaigns/auto-us/spec"
NOW_S = NOW_US // 1_000_000


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/json", "application/schema+json"),
        ("application/schema+json, */*;q=0.1", "application/schema+json"),
        ("application/json, text/plain, */*", "application/schema+json"),
        ("text/html, application/json;q=0.9", "text/html"),
    ],
)
async def test_a_spec_comes_as_its_caller_likes_it(edge, accept, media_type):
    """Browsers get the page, programs the schema."""
    headers = {} if accept is None else {"Accept": accept}
    async with edge.call("GET", SPEC, headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith(media_type)
        assert response.headers["Vary"] == "Accept"
        assert response.headers["Cache-Control"] == "private, no-cache"
    async with edge.call("GET", f"{SPEC}.json", headers=headers) as response:
        assert response.headers["Content-Type"] == "application/schema+json"


async def test_the_page_is_whole_and_has_nothing_inline(edge):
    """Every link leads somewhere, every id is one, no script or style stands in the page."""
    status, headers, spec = await page(edge, SPEC)
    assert status == 200
    assert "unsafe" not in headers["Content-Security-Policy"]
    ids = spec.ids()
    assert len(set(ids)) == len(ids)
    assert {a["href"][1:] for a in spec.of("a") if a["href"].startswith("#")} <= set(ids)
    assert not spec.of("style")
    assert [set(script) for script in spec.of("script")] == [{"src", "defer"}]
    names = {name for _, attributes in spec.found for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}


async def test_a_link_shows_one_spec_until_it_expires(edge):
    """Without a key: this campaign for this seller, and its schema by the same link."""
    sign = edge.doors.spec_links.sign
    token = sign(Kind.CAMPAIGN, "auto-us", "fastquotes", NOW_S + 60)
    status, headers, spec = await page(edge, f"{SPEC}?t={token}", key=None)
    assert status == 200
    assert headers["Referrer-Policy"] == "no-referrer"
    [schema] = [a["href"] for a in spec.of("a") if "spec.json" in a["href"]]
    assert (await page(edge, schema, key=None))[0] == 200
    assert (await page(edge, f"/v1/campaigns/theirs/spec?t={token}", key=None))[0] == 404
    late = sign(Kind.CAMPAIGN, "auto-us", "fastquotes", NOW_S)
    assert (await page(edge, f"{SPEC}?t={late}", key=None))[0] == 410
    # One whom the campaign does not know any more sees nothing.
    gone = sign(Kind.CAMPAIGN, "auto-us", "other", NOW_S + 60)
    assert (await page(edge, f"{SPEC}?t={gone}", key=None))[0] == 404
    assert (await page(edge, f"{SPEC}?t=nonsense"))[0] == 404


async def test_whatever_host_is_named_stays_out_of_the_programs(edge):
    """A host that is no name would stand in a shell's command: another one stands there."""
    async with edge.call("GET", SPEC, headers={"Host": "a$(id)'b"}) as response:
        text = await response.text()
    assert "$(id)" not in text
    assert "https://exchange.example/v1/leads" in text


async def test_a_seller_makes_a_link_for_a_person_without_a_key(edge):
    """It opens that seller's spec, and makes no further link; it holds as long as was asked for."""
    made = await edge.post(f"{SPEC}-links?days=2", body=b"")
    assert made[0] == 200
    assert made[2]["expires_at"].startswith("2026-11-20")
    assert (await page(edge, made[2]["url"], key=None))[0] == 200
    query = made[2]["url"].partition("?")[2]
    assert (await edge.post(f"{SPEC}-links?{query}", body=b"", key=None))[0] == 403
    for days in ("0", "366", "x"):
        assert (await edge.post(f"{SPEC}-links?days={days}", body=b""))[0] == 422
    assert (await edge.post(f"{SPEC}-links", body=b"", key=None))[0] == 401
    assert (await edge.post(f"{SPEC}-links", body=b"", key="stranger-key"))[0] == 404
