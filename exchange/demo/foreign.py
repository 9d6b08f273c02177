"""Sellers' software from before this exchange: it speaks a platform's words, and reads its answers.

What such a seller hears is less than the contract tells: sold or not, a price, the id of the other
side. That is what is compared with the ledger.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol
from xml.etree import ElementTree as ET

import msgspec

from exchange.demo.order import NOT_SOLD
from exchange.demo.requests import Body, spelled

QUOTED = "quoted"
SOLD = "sold"
PENDING = "pending"

JSON = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


class Sent(msgspec.Struct, frozen=True):
    """A request: the path below the exchange's address, and the body as aiohttp takes it."""

    path: str
    how: dict[str, Any]


class Said(msgspec.Struct, frozen=True):
    """What an answer means to such a seller."""

    status: str
    price: Decimal | None = None
    id: str | None = None
    """Of the quote in the answer to a ping, else of the lead."""


class Software(Protocol):
    """Words a request in the platform's way, and reads what the platform would answer."""

    def ping(self, key: str, body: Body) -> Sent:
        """Return the request that asks for a price."""

    def post(self, key: str, body: Body, ping_id: str | None = None) -> Sent:
        """Return the request that delivers a person, for a quote or without one."""

    def read(self, raw: bytes) -> Said | None:
        """Return what an answer means; None where it is nothing that the platform would say."""


class LeadsPedia:
    """Forms to ping.do and post.do, whose names begin with lp_; XML comes back."""

    NAMES: Mapping[str, str] = {"phone": "phone_home", "email": "email_address", "zip": "zip_code"}

    def ping(self, key: str, body: Body) -> Sent:
        """Ask with what names nobody."""
        return Sent("/doors/leadspedia/ping.do", {"data": self.head(key, body) | self.lead(body)})

    def post(self, key: str, body: Body, ping_id: str | None = None) -> Sent:
        """Name the quote, if there is one, and say everything."""
        form = self.head(key, body) | self.lead(body)
        consent = body["consent"]
        form |= {
            "vendor_lead_id": body["seller_ref"],
            "lp_s2": body["tracking"]["sub1"],
            "ip_address": consent["ip"],
            "url": consent["url"],
            "tcpa_text": consent["text"],
            "jornaya_lead_id": consent.get("jornaya_id", ""),
            "trusted_form_cert_url": consent.get("trustedform_url", ""),
        }
        if ping_id is not None:
            form["lp_ping_id"] = ping_id
        return Sent("/doors/leadspedia/post.do", {"data": form})

    def head(self, key: str, body: Body) -> dict[str, str]:
        """Return what goes before every lead."""
        head = {"lp_campaign_id": "5f1e", "lp_campaign_key": key, "lp_s1": body["source"]}
        return {**head, "lp_test": "1"} if body.get("test") else head

    def lead(self, body: Body) -> dict[str, str]:
        """Return a lead's fields, a few of them under the platform's names."""
        return {self.NAMES.get(name, name): spelled(v) for name, v in body["lead"].items()}

    def read(self, raw: bytes) -> Said | None:
        """Read a result, and whichever id is there."""
        try:
            document = ET.fromstring(raw)  # noqa: S314 - the answer of our own exchange
        except ET.ParseError:
            return None
        said = {element.tag: element.text or "" for element in document}
        result, message = said.get("result"), said.get("msg", "")
        price = Decimal(said["price"]) if said.get("price") else None
        if result == "success":
            status = QUOTED if "ping_id" in said else SOLD
            return Said(status, price, said.get("ping_id") or said.get("lead_id"))
        status = PENDING if result == "pending" else NOT_SOLD
        return Said(status, None, said.get("lead_id")) if message else None


class Px:
    """Nested JSON to api/lead/ping and api/lead/post; JSON comes back."""

    PLACES: Mapping[str, tuple[str, str]] = {
        "first_name": ("ContactData", "FirstName"),
        "last_name": ("ContactData", "LastName"),
        "phone": ("ContactData", "PhoneNumber"),
        "email": ("ContactData", "EmailAddress"),
        "address": ("ContactData", "Address"),
        "city": ("ContactData", "City"),
        "state": ("ContactData", "State"),
        "zip": ("ContactData", "ZipCode"),
        "birth_date": ("Person", "BirthDate"),
        "gender": ("Person", "Gender"),
        "marital_status": ("Person", "MaritalStatus"),
        "credit": ("Person", "CreditRating"),
        "homeowner": ("Person", "Homeowner"),
        "currently_insured": ("Insurance", "CurrentlyInsured"),
        "current_insurer": ("Insurance", "CurrentInsurer"),
        "vehicle_year": ("Vehicle", "Year"),
        "vehicle_make": ("Vehicle", "Make"),
        "vehicle_model": ("Vehicle", "Model"),
    }

    def ping(self, key: str, body: Body) -> Sent:
        """Ask with what names nobody."""
        return Sent("/doors/px/api/lead/ping", {"json": self.lead(key, body)})

    def post(self, key: str, body: Body, ping_id: str | None = None) -> Sent:
        """Name the transaction, if there is one, and say everything."""
        said, consent = self.lead(key, body), body["consent"]
        said |= {
            "Sub2Id": body["tracking"]["sub1"],
            "OriginalUrl": consent["url"],
            "TcpaText": consent["text"],
            "JornayaLeadId": consent.get("jornaya_id"),
            "TrustedForm": consent.get("trustedform_url"),
        }
        said.setdefault("ContactData", {})["IpAddress"] = consent["ip"]
        if ping_id is None:
            return Sent("/doors/px/api/lead/directpost", {"json": said})
        return Sent("/doors/px/api/lead/post", {"json": {**said, "TransactionId": ping_id}})

    def lead(self, key: str, body: Body) -> Body:
        """Return a lead nested in the platform's way; what it has no place for stands beside."""
        said: Body = {"ApiToken": key, "Vertical": "auto", "SubId": body["source"]}
        if body.get("test"):
            said["IsTest"] = True
        for name, value in body["lead"].items():
            if name in self.PLACES:
                group, theirs = self.PLACES[name]
                said.setdefault(group, {})[theirs] = value
            else:
                said[name] = value
        return said

    def read(self, raw: bytes) -> Said | None:
        """Read Success and Sold, and whichever id is there."""
        try:
            said = JSON.decode(raw)
        except msgspec.DecodeError:
            return None
        price = None if said.get("Payout") is None else Decimal(said["Payout"])
        match said.get("Success"), said.get("Sold"):
            case True, True:
                return Said(SOLD, price, said.get("TransactionId"))
            case True, _:
                status = PENDING if said.get("Message") == PENDING else QUOTED
                return Said(status, price, said.get("TransactionId"))
            case False, _:
                return Said(NOT_SOLD, None, said.get("TransactionId"))
        return None


SOFTWARE: Mapping[str, Callable[[], Software]] = {"leadspedia": LeadsPedia, "px": Px}
"""By the door that its users come through."""
