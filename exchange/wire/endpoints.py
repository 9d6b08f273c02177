"""Endpoints by URL, encoded once and kept as long as the market names them."""

from collections.abc import Mapping

from exchange.wire.endpoint import Endpoint, compile_endpoint

KEPT_MAX = 20_000
"""URLs kept at most; a market's are far fewer, and those that it names no more go with the rest."""


class Endpoints:
    """Prepared endpoints: compiling one costs more than a ping."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Take the headers that every request has."""
        self._headers = headers
        self._by_url: dict[str, Endpoint] = {}

    def of(self, url: str) -> Endpoint:
        """Return the endpoint at this address; `EndpointError` says what cannot be called."""
        endpoint = self._by_url.get(url)
        if endpoint is None:
            if len(self._by_url) >= KEPT_MAX:
                self._by_url.clear()
            endpoint = self._by_url[url] = compile_endpoint(url, headers=self._headers)
        return endpoint
