"""Where the exchange is."""

from urllib.parse import urlsplit

import msgspec


class Address(msgspec.Struct, frozen=True):
    """A base URL, taken apart once."""

    url: str
    """Without a slash at its end."""
    secure: bool
    host: str
    port: int | None
    path: str

    @classmethod
    def of(cls, url: str) -> "Address":
        """Return the address; raises ValueError where it is none, or carries more than a place."""
        parts = urlsplit(url.strip())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("the exchange's address begins with https:// or http://")
        if parts.query or parts.fragment or parts.username or parts.password:
            raise ValueError("the exchange's address holds neither a key nor a query")
        path = parts.path.rstrip("/")
        whole = f"{parts.scheme}://{parts.netloc}{path}"
        return cls(whole, parts.scheme == "https", parts.hostname, parts.port, path)
