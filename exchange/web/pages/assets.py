"""Style and script: read once from the package, found by name in a table and nowhere else."""

from pathlib import Path

import msgspec
from aiohttp import web

from exchange.web.pages.representation import FOR_EVER, REVALIDATE, Representation, respond
from exchange.web.problems import DeniedError, Kind

FOLDER = Path(__file__).parent.parent / "static"

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(msgspec.Struct, frozen=True):
    """One file of the package."""

    name: str
    content: Representation

    @property
    def path(self) -> str:
        """Return its address, which changes with its bytes."""
        return f"/static/{self.content.digest}/{self.name}"


def read_assets() -> dict[str, Asset]:
    """Return all files of a kind that is known, by name."""
    return {
        path.name: Asset(path.name, Representation.of(path.read_bytes(), MEDIA_TYPES[path.suffix]))
        for path in sorted(FOLDER.iterdir())
        if path.suffix in MEDIA_TYPES
    }


ASSETS = read_assets()


async def get_asset(request: web.Request) -> web.Response:
    """Return a file: `GET /static/{digest}/{name}`.

    An address of another version of it is answered, too, but not kept: while workers are being
    replaced, a page of one may ask another for its style.
    """
    asset = ASSETS.get(request.match_info["name"])
    if asset is None:
        raise DeniedError(Kind.NOT_FOUND)
    same = request.match_info["digest"] == asset.content.digest
    return respond(request, asset.content, caching=FOR_EVER if same else REVALIDATE)
