"""Sellers who speak their own words: what each sends for one person, and how it reads an answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import aiohttp

from tests.acceptance.house import ANN, Answer
from tests.making_doors import CONFIG, PRESETS
from tests.making_intake import xml_elements

PERSON = {**ANN, "state": "TX", "currently_insured": True, "credit": "good", "vehicle_year": 2019}
CONSENT = {"text": "I agree to be called; 100 % sure", "ip": "203.0.113.9", "jornaya_id": "ABCD-12"}
IN_A_PING = ("zip", "state", "birth_date", "currently_insured", "credit", "vehicle_year")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

SHIPPED = "\n".join((CONFIG / f"doors/{name}.toml").read_text() for name in PRESETS)
"""All compatibility doors, as they ship."""


@dataclass(frozen=True)
class Said:
    """What a sender understands of an answer."""

    word: str
    price: str | None = None
    token: str | None = None
    lead_id: str | None = None


@dataclass(frozen=True)
class Sender:
    """One seller's program, as it was written for another platform; its URL and key are changed."""

    door: str
    names: Mapping[str, str]
    """Its names for our fields; where they have points, it sends nested JSON."""
    consent: Mapping[str, str]
    key: str
    token: str
    ping: str
    post: str
    direct: str
    always: Mapping[str, str]
    modes: tuple[str, str, str] | None
    """What `Mode` is for a ping, a post and a direct post."""
    kind: str
    read: Callable[[Any], Said]
    quoted: str
    sold: str
    duplicate: str
    pending: str
    error: str
    ping_error: str
    statuses: bool = False
    """Its refusals have the native HTTP status."""

    def body(self, lead: Mapping[str, Any], consent: Mapping[str, str]) -> dict[str, Any]:
        """Return a lead in this sender's names."""
        told = {self.names[name]: value for name, value in lead.items() if name in self.names}
        return {**told, **{self.consent[name]: text for name, text in consent.items()}}

    def asking(self, key: str, lead: Mapping[str, Any] = PERSON, **more: Any) -> dict[str, Any]:
        """Return the request of a ping."""
        shown = {name: value for name, value in lead.items() if name in IN_A_PING}
        return self.request(self.ping, 0, key, self.body(shown, {}), more)

    def posting(
        self, key: str, token: str, lead: Mapping[str, Any] = PERSON, **more: Any
    ) -> dict[str, Any]:
        """Return the request of the post of a quote; the whole lead comes again."""
        body = {**self.body(lead, CONSENT), self.token: token}
        return self.request(self.post, 1, key, body, more)

    def selling(self, key: str, lead: Mapping[str, Any] = PERSON, **more: Any) -> dict[str, Any]:
        """Return the request of a direct post."""
        return self.request(self.direct, 2, key, self.body(lead, CONSENT), more)

    def request(
        self, path: str, step: int, key: str, body: dict[str, Any], more: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what is to be sent, for the house's `call`."""
        mode = {} if self.modes is None else {"Mode": self.modes[step]}
        whole = {self.key: key, **self.always, **mode, **body, **more}
        return {"path": f"/doors/{self.door}/{path}", **WRITERS[self.kind](whole)}

    def hears(self, answer: Answer) -> Said:
        """Return what it understands of an answer."""
        body = answer.body
        return self.read(ET.fromstring(body) if isinstance(body, str) else body)


def spelled(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with a table below each point of a name."""
    whole: dict[str, Any] = {}
    for name, value in flat.items():
        *steps, last = name.split(".")
        table = whole
        for step in steps:
            table = table.setdefault(step, {})
        table[last] = value
    return whole


def in_form(flat: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "method": "POST",
        "data": urlencode({name: spelled(value) for name, value in flat.items()}),
        "headers": FORM,
    }


def in_address(flat: Mapping[str, Any]) -> dict[str, Any]:
    return {"method": "GET", "params": {name: spelled(value) for name, value in flat.items()}}


def in_json(flat: Mapping[str, Any]) -> dict[str, Any]:
    return {"method": "POST", "json": nested(flat)}


def in_xml(flat: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "method": "POST",
        "data": xml_elements("Lead", nested(flat)).encode(),
        "headers": {"Content-Type": "application/xml", "Accept": "application/xml"},
    }


def in_multipart(flat: Mapping[str, Any]) -> dict[str, Any]:
    parts = aiohttp.MultipartWriter("form-data")
    for name, value in flat.items():
        parts.append(spelled(value)).set_content_disposition("form-data", name=name)
    return {"method": "POST", "data": parts}


WRITERS = {
    "form": in_form,
    "multipart": in_multipart,
    "address": in_address,
    "json": in_json,
    "xml": in_xml,
}


def boberdoo(answer: ET.Element) -> Said:
    lead_id = answer.findtext("lead_id")
    return Said(answer.findtext("status") or "", answer.findtext("price"), lead_id, lead_id)


def leadspedia(answer: ET.Element) -> Said:
    told = {name: answer.findtext(name) for name in ("price", "ping_id", "lead_id")}
    return Said(answer.findtext("result") or "", *told.values())


def leadprosper(answer: dict[str, Any]) -> Said:
    price = answer.get("payout", answer.get("price"))
    return Said(answer["status"], money(price), answer.get("ping_id"), answer.get("lead_id"))


def phonexa(answer: dict[str, Any]) -> Said:
    told = str(answer["status"])
    return Said(told, money(answer.get("price")), answer.get("promise"), answer.get("lead_id"))


def px(answer: dict[str, Any] | ET.Element) -> Said:
    if isinstance(answer, ET.Element):
        answer = {child.tag: child.text or None for child in answer}
    told = answer["TransactionId"]
    return Said(str(answer["Success"]).lower(), money(answer["Payout"]), told, told)


def money(price: Any) -> str | None:
    return None if price is None else f"{float(price):.2f}"


BOBERDOO = Sender(
    door="boberdoo",
    names={
        "first_name": "First_Name",
        "last_name": "Last_Name",
        "phone": "Primary_Phone",
        "email": "Email",
        "zip": "Zip",
        "state": "State",
        "birth_date": "Date_Of_Birth",
        "currently_insured": "Currently_Insured",
        "credit": "Credit",
        "vehicle_year": "Vehicle_Year",
    },
    consent={"text": "TCPA_Language", "ip": "IP_Address", "jornaya_id": "Universal_Lead_ID"},
    key="Key",
    token="Lead_ID",
    ping="new_api/api.php",
    post="new_api/api.php",
    direct="genericPostlead.php",
    always={"API_Action": "pingPostLead", "TYPE": "31", "SRC": "search"},
    modes=("ping", "post", "full"),
    kind="form",
    read=boberdoo,
    quoted="Matched",
    sold="Matched",
    duplicate="Unmatched",
    pending="Pending",
    error="Error",
    ping_error="Error",
)
LEADSPEDIA = Sender(
    door="leadspedia",
    names={
        "first_name": "first_name",
        "last_name": "last_name",
        "phone": "phone_cell",
        "email": "email_address",
        "zip": "zip_code",
        "state": "state",
        "birth_date": "dob",
        "currently_insured": "currently_insured",
        "credit": "credit",
        "vehicle_year": "vehicle_year",
    },
    consent={"text": "tcpa_text", "ip": "ip_address", "jornaya_id": "universal_lead_id"},
    key="lp_campaign_key",
    token="lp_ping_id",
    ping="ping.do",
    post="post.do",
    direct="post.do",
    always={"lp_campaign_id": "5f1e", "lp_s1": "search"},
    modes=None,
    kind="form",
    read=leadspedia,
    quoted="success",
    sold="success",
    duplicate="failed",
    pending="pending",
    error="failed",
    ping_error="failed",
)
LEADPROSPER = Sender(
    door="leadprosper",
    names={
        "first_name": "first_name",
        "last_name": "last_name",
        "phone": "phone",
        "email": "email",
        "zip": "zip_code",
        "state": "state",
        "birth_date": "date_of_birth",
        "currently_insured": "currently_insured",
        "credit": "credit",
        "vehicle_year": "vehicle_year",
    },
    consent={"text": "tcpa_text", "ip": "ip_address", "jornaya_id": "jornaya_leadid"},
    key="lp_key",
    token="lp_ping_id",
    ping="ping",
    post="post",
    direct="direct_post",
    always={"lp_campaign_id": "6309", "lp_supplier_id": "77", "lp_subid1": "search"},
    modes=None,
    kind="json",
    read=leadprosper,
    quoted="ACCEPTED",
    sold="ACCEPTED",
    duplicate="DUPLICATED",
    pending="PENDING",
    error="ERROR",
    ping_error="ERROR",
)
PHONEXA = Sender(
    door="phonexa",
    names={
        "first_name": "firstName",
        "last_name": "lastName",
        "phone": "cellPhone",
        "email": "email",
        "zip": "zip",
        "state": "state",
        "birth_date": "dob",
        "currently_insured": "currentlyInsured",
        "credit": "credit",
        "vehicle_year": "vehicleYear",
    },
    consent={"text": "tcpaText", "ip": "userIp", "jornaya_id": "jornayaLeadId"},
    key="apiPassword",
    token="promise",
    ping="ping",
    post="post",
    direct="post",
    always={"apiId": "A-7", "productId": "329", "subId": "search"},
    modes=None,
    kind="form",
    read=phonexa,
    quoted="continue",
    sold="1",
    duplicate="2",
    pending="3",
    error="4",
    ping_error="reject",
)
PX = Sender(
    door="px",
    names={
        "first_name": "ContactData.FirstName",
        "last_name": "ContactData.LastName",
        "phone": "ContactData.PhoneNumber",
        "email": "ContactData.EmailAddress",
        "zip": "ContactData.ZipCode",
        "state": "ContactData.State",
        "birth_date": "Person.BirthDate",
        "credit": "Person.CreditRating",
        "currently_insured": "Insurance.CurrentlyInsured",
        "vehicle_year": "Vehicle.Year",
    },
    consent={"text": "TcpaText", "ip": "ContactData.IpAddress", "jornaya_id": "JornayaLeadId"},
    key="ApiToken",
    token="TransactionId",
    ping="api/lead/ping",
    post="api/lead/post",
    direct="api/lead/directpost",
    always={"Vertical": "auto", "SubId": "search"},
    modes=None,
    kind="json",
    read=px,
    quoted="true",
    sold="true",
    duplicate="false",
    pending="true",
    error="false",
    ping_error="false",
    statuses=True,
)
SENDERS = (BOBERDOO, LEADSPEDIA, LEADPROSPER, PHONEXA, PX)

HOUSE = """
[[door]]
id = "crm"
name = "A seller's own CRM"
sellers = ["fastquotes"]
always_200 = true
key = { header = "X-Crm-Secret" }
campaign = { path = "product", map = { 7 = "auto-us" } }
source = { const = "search" }
lead_id = "ref"
ping_id = "offer"
idempotency_key = "nonce"
passed_over = ["sent_by"]
[door.maps.results]
sold = 1
quoted = 1
pending = 2
"*" = 0
[door.fields]
first_name = { path = "applicant.name", piece = "first" }
last_name = { path = "applicant.name", piece = "rest" }
phone = { join = ["applicant.phone.area", "applicant.phone.number"] }
email = { path = "applicant.emails[0]", filter = "lower" }
zip = "applicant.home.zip"
state = "applicant.home.region"
birth_date = { path = "applicant.born", date = "DD/MM/YYYY" }
currently_insured = { path = "cover", map = { "own policy" = true, "*" = false } }
credit = { path = "tier", map = { 1 = "excellent", 3 = "fair" }, default = "good" }
vehicle_year = { path = "car", filter = "digits|first(4)" }
[door.consent]
text = "agreed.words"
ip = "agreed.from"
jornaya_id = { header = "X-Jornaya" }
[door.answer."*".body]
ok = "{outcome|map(results)}"
id = "{lead_id}"
offer = "{ping_id}"
pays = "{price|money}"
why = "{message}"
wrong = { each = "errors", item = { field = "{error.field}", problem = "{error.code}" } }
[[door.call]]
path = "leads"
methods = ["POST", "PUT"]
does = { path = "step", map = { offer = "ping", sale = "post" }, default = "post" }
[[door.call]]
path = "leads/state"
methods = ["GET"]
does = "status"
"""
"""A door of the operator's own: every kind of rule, for one seller."""


def crm_body(**changes: Any) -> dict[str, Any]:
    """Return `PERSON` as a seller's CRM writes it."""
    return {
        "product": 7,
        "sent_by": "webhook/4.1",
        "applicant": {
            "name": f"{ANN['first_name']} {ANN['last_name']}",
            "phone": {"area": "512", "number": "555-0123"},
            "emails": [str(ANN["email"]).upper(), "second@example.com"][:1],
            "home": {"zip": "78701", "region": "Texas"},
            "born": "02/04/1991",
        },
        "cover": "Own policy",
        "car": "2019 Subaru",
        "agreed": {"words": CONSENT["text"], "from": CONSENT["ip"]},
        **changes,
    }


def crm(key: str, body: Mapping[str, Any], method: str = "POST") -> dict[str, Any]:
    """Return what the CRM sends."""
    headers = {"X-Crm-Secret": key, "X-Jornaya": CONSENT["jornaya_id"]}
    return {"method": method, "path": "/doors/crm/leads", "json": body, "headers": headers}


def crm_in_xml(key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an older version of it sends."""
    sent = crm(key, body)
    del sent["json"]
    sent["data"] = xml_elements("order", dict(body)).encode()
    sent["headers"]["Content-Type"] = "text/xml"
    return sent
