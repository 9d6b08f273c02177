"""Pages over HTTP: what they load, what they may do, and what may be kept of them."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest

from exchange.web.pages.assets import ASSETS
from exchange.web.routes import ROUTES
from exchange.web.routing.operations import OPERATIONS


class Elements(HTMLParser):
    """All elements of a page with their attributes, and the text of it."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]

    def ids(self):
        return [attributes["id"] for _, attributes in self.found if "id" in attributes]


async def page(edge, path, **options):
    async with edge.call("GET", path, **options) as response:
        return response.status, response.headers, Elements(await response.text())


async def test_the_reference_shows_every_route_and_a_form_for_it(edge):
    """Each operation has its heading and a form to try it; the table of contents leads there."""
    status, headers, docs = await page(edge, "/docs", key=None)
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    routes = (*ROUTES, *OPERATIONS)
    ids = docs.ids()
    assert len(set(ids)) == len(ids)
    assert {route.operation for route in routes} <= set(ids)
    tried = {(form["data-method"], form["data-path"]) for form in docs.of("form")}
    assert tried == {
        (route.method, route.path) for route in routes if not route.path.startswith("/static/")
    }
    links = {a["href"][1:] for a in docs.of("a") if a["href"].startswith("#")}
    assert links <= set(ids)


async def test_what_is_tried_is_a_test_unless_somebody_changes_it(edge):
    """The bodies of the forms say that they are tests; to send another one is asked for anew."""
    async with edge.call("GET", "/docs", key=None) as response:
        text = await response.text()
    bodies = re.findall(r'<textarea id="(.*?)-body"(.*?)</textarea>', text, re.DOTALL)
    leads = {route.operation for route in ROUTES if route.takes_lead}
    said = [body for operation, body in bodies if operation in leads]
    assert len(said) == len(leads)
    assert all("&#34;test&#34;: true" in body for body in said)
    # A feed is asked about, too; what operators try is no lead, and never real.
    asked = sum(route.takes_lead or route.takes_feed for route in ROUTES)
    assert text.count('name="real"') == asked
    assert asked < len(bodies)


async def test_a_page_needs_nothing_from_elsewhere_and_nothing_inline(edge):
    """Every asset comes from the package; no style, script or handler stands in the page."""
    _, headers, docs = await page(edge, "/docs", key=None)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    loaded = [one["href"] for one in docs.of("link")] + [one["src"] for one in docs.of("script")]
    assert sorted(loaded) == sorted(asset.path for asset in ASSETS.values())
    for tag, attributes in docs.found:
        assert tag != "style"
        assert not {name for name in attributes if name == "style" or name.startswith("on")}
    for path in loaded:
        async with edge.call("GET", urljoin("/", path), key=None) as response:
            assert response.status == 200


async def test_a_key_is_typed_into_a_field_that_nobody_remembers(edge):
    """The field for the key has no name to be sent under, and no form around it."""
    _, _, docs = await page(edge, "/docs", key=None)
    [key] = [one for one in docs.of("input") if one.get("id") == "key"]
    assert key["type"] == "password"
    assert key["autocomplete"] == "off"
    assert "name" not in key


@pytest.mark.parametrize("asset", ASSETS.values(), ids=lambda asset: asset.name)
async def test_an_asset_is_kept_for_ever_under_its_own_digest_only(edge, asset):
    """Another digest's address is answered and not kept; who has the bytes hears 304."""
    async with edge.call("GET", asset.path, key=None) as response:
        assert "immutable" in response.headers["Cache-Control"]
        assert response.headers["Content-Type"] == asset.content.media_type
        assert await response.read() == asset.content.body
        tag = response.headers["ETag"]
    async with edge.call("GET", f"/static/0/{asset.name}", key=None) as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "private, no-cache"
    for named in (tag, f'"x", W/{tag}', "*"):
        sent = {"If-None-Match": named}
        async with edge.call("GET", asset.path, key=None, headers=sent) as response:
            assert response.status == 304
            assert await response.read() == b""
            assert response.headers["ETag"] == tag
    async with edge.call(
        "GET", asset.path, key=None, headers={"If-None-Match": '"x", garbage'}
    ) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "name",
    ["base.html", "../templates/base.html", "..%2ftemplates%2fbase.html", "%2e%2e/app.py", "%00"],
)
async def test_only_assets_are_served(edge, name):
    """No address reaches a file that is not in the table."""
    reader, writer = await edge.raw()
    writer.write(f"GET /static/0/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert (await reader.read()).startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
    writer.close()
