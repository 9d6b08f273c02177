"""What is said of types and of how coarsely a ping shows a field, once for page and schema."""

from collections.abc import Mapping

import msgspec

from exchange.domain.anonymize import shown_name
from exchange.domain.vertical import Field, FieldType, Privacy, Show


class TypeWords(msgspec.Struct, frozen=True):
    """A type in words: its name, what is understood, what it becomes."""

    name: str
    understood: str
    becomes: str


TYPES: Mapping[FieldType, TypeWords] = {
    FieldType.NAME: TypeWords("name", "any script; must contain a letter", "blanks collapsed"),
    FieldType.CITY: TypeWords("city", "any script; must contain a letter", "blanks collapsed"),
    FieldType.PHONE: TypeWords(
        "telephone number",
        "any common spelling; without a country it is one of the United States;"
        " must be possible and valid",
        "`+15125550123`",
    ),
    FieldType.EMAIL: TypeWords("e-mail address", "syntax only, nobody is asked", "as it came"),
    FieldType.TEXT: TypeWords("text", "several lines", "blanks collapsed"),
    FieldType.ADDRESS: TypeWords("text of one line", "any script", "blanks collapsed"),
    FieldType.US_ZIP: TypeWords(
        "ZIP code", "`78701`, `78701-1234`; must be in use; with its leading zero", "`78701`"
    ),
    FieldType.US_STATE: TypeWords("US state", "name or two-letter code, in any case", "`TX`"),
    FieldType.DATE: TypeWords(
        "date",
        "`1991-04-02`, `4/2/1991` (month first), `19910402`; years have four digits",
        "`1991-04-02`",
    ),
    FieldType.BOOL: TypeWords("yes or no", "`true`, `yes`, `y`, `1`, `on` and so on", "`true`"),
    FieldType.CHOICE: TypeWords(
        "choice", "in any case; blanks, `-` and `_` alike", "the value as it is listed"
    ),
    FieldType.INT: TypeWords("whole number", "`1234`, `1,234`, `$1,234`", "`1234`"),
    FieldType.DECIMAL: TypeWords("number", "`1.5`, `1,234.50`; at most ten decimals", "exact"),
    FieldType.URL: TypeWords("web address", "absolute, http or https", "as it came"),
    FieldType.IP: TypeWords("IP address", "IPv4 or IPv6", "its shortest spelling"),
}

SHOWN: Mapping[Show, str] = {
    Show.AS_IS: "the value",
    Show.ZIP3: "its first three digits",
    Show.AGE_BAND: "five years of age, such as `35-39`",
    Show.AGE: "the age in years",
    Show.YEAR: "the year alone",
}


def shown_to_buyers(field: Field) -> str:
    """Return what buyers see of a field before one of them has bought the lead."""
    if field.show is Show.HASH and field.type in {FieldType.PHONE, FieldType.EMAIL}:
        return f"`{field.name}_hash`: a hash that is another one for each buyer"
    name = shown_name(field)
    if name is None:
        return "nothing"
    return f"`{name}`: {SHOWN[field.show]}"


def about_privacy(field: Field) -> str:
    """Return how near a field comes to naming a person."""
    return {
        Privacy.IDENTITY: "names the person",
        Privacy.QUASI: "comes near to the person",
        Privacy.ATTRIBUTE: "tells of the request",
    }[field.privacy]
