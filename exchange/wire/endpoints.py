"""Endpoints by what never changes in their calls, encoded once and kept."""

from collections.abc import Mapping
from typing import cast

from exchange.wire.endpoint import Endpoint, Method, compile_endpoint

KEPT_MAX = 20_000
"""Endpoints kept at most; a market's are far fewer, and those that it names no more go too."""

CONTENT_TYPE = "Content-Type"
CALL_HEADERS = {
    CONTENT_TYPE: "application/json",
    "Accept": "application/json",
    "User-Agent": "ping-post-exchange",
}
FOREIGN_HEADERS = {"Accept": "*/*", "User-Agent": "ping-post-exchange"}
"""Of calls in a foreign dialect, unless it has its own; their content type is the dialect's."""

Spoken = tuple[str, str, tuple[tuple[str, str], ...]]
"""URL, method and headers of a foreign dialect."""


class Endpoints:
    """Prepared endpoints: compiling one costs more than a ping."""

    def __init__(self, headers: Mapping[str, str], always: Mapping[str, str] | None = None) -> None:
        """Take the headers of requests in the exchange's own format, and those of all others."""
        self._headers = headers
        self._always = always or {}
        self._by_url: dict[str, Endpoint] = {}
        self._by_dialect: dict[Spoken, Endpoint] = {}

    def of(self, url: str) -> Endpoint:
        """Return the endpoint at this address; `EndpointError` says what cannot be called."""
        endpoint = self._by_url.get(url)
        if endpoint is None:
            if len(self._by_url) >= KEPT_MAX:
                self._by_url.clear()
            endpoint = self._by_url[url] = compile_endpoint(url, headers=self._headers)
        return endpoint

    def once(self, url: str, method: str, headers: Mapping[str, str] | None = None) -> Endpoint:
        """Return an endpoint whose address is called once, for one sale: it is not kept.

        `headers`: a foreign dialect's own; None: the exchange's own format, asked without a body.
        """
        if headers is None:
            usual = {name: text for name, text in self._headers.items() if name != CONTENT_TYPE}
            return compile_endpoint(url, method=cast("Method", method), headers=usual)
        return compile_endpoint(
            url, method=cast("Method", method), headers=self._completed(headers)
        )

    def speaking(self, url: str, method: str, headers: Mapping[str, str]) -> Endpoint:
        """Return the endpoint of a foreign dialect: its own headers come before the usual ones.

        `EndpointError` says what cannot be called, an unknown method among it.
        """
        key = url, method, tuple(headers.items())
        endpoint = self._by_dialect.get(key)
        if endpoint is None:
            if len(self._by_dialect) >= KEPT_MAX:
                self._by_dialect.clear()
            endpoint = compile_endpoint(
                url, method=cast("Method", method), headers=self._completed(headers)
            )
            self._by_dialect[key] = endpoint
        return endpoint

    def _completed(self, headers: Mapping[str, str]) -> dict[str, str]:
        own = {name.lower() for name in headers}
        usual = {name: text for name, text in self._always.items() if name.lower() not in own}
        return {**usual, **headers}
