"""Texts as they may stand in a form, a URL, XML or a header; never raises, whatever they are."""

import re
import string
from urllib.parse import quote, quote_plus

from exchange.dialect.words import whole

HEADER_LENGTH_MAX = 8_192

# `strip` ends at the first character that is not among these, in C: what is left over is unsafe.
# Most values are letters and digits alone, which is told faster still.
_PLAIN = string.ascii_letters + string.digits + "-_.~*"
_PLAIN_XML = string.ascii_letters + string.digits + " -_.,:;/@+()#!?*%=$"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_HEADER = re.compile(r"[\x00-\x1f\x7f]+")
_IN_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_IN_ATTRIBUTE = {**_IN_TEXT, '"': "&quot;", "'": "&#39;", "\t": "&#9;", "\n": "&#10;"}
_TEXT_TABLE = str.maketrans(_IN_TEXT)
_ATTRIBUTE_TABLE = str.maketrans(_IN_ATTRIBUTE)
_CDATA_TABLE = str.maketrans({"]": "]]]><![CDATA[", "\r": "]]>&#13;<![CDATA["})


def in_form(text: str) -> str:
    """Return a text as a urlencoded form holds it."""
    if (text.isascii() and text.isalnum()) or not text.strip(_PLAIN):
        return text
    return quote_plus(whole(text))


def in_query(text: str) -> str:
    """Return a text as the part of a URL behind its `?` holds it; a blank is `%20`."""
    if (text.isascii() and text.isalnum()) or not text.strip(_PLAIN):
        return text
    return quote(whole(text), safe="")


def in_xml_text(text: str) -> str:
    """Return a text as it stands between two tags, less what XML cannot say."""
    if (text.isascii() and text.isalnum()) or not text.strip(_PLAIN_XML):
        return text
    return _NO_XML.sub("", text).translate(_TEXT_TABLE)


def in_xml_attribute(text: str) -> str:
    """Return a text as it stands in an attribute, in quotes of either kind."""
    if (text.isascii() and text.isalnum()) or not text.strip(_PLAIN_XML):
        return text
    return _NO_XML.sub("", text).translate(_ATTRIBUTE_TABLE)


def in_cdata(text: str) -> str:
    """Return a text as it stands in a CDATA section, whatever stands beside it there.

    Every `]` ends its section and begins another, so that none can close one early.
    """
    if (text.isascii() and text.isalnum()) or not text.strip(_PLAIN_XML):
        return text
    return _NO_XML.sub("", text).translate(_CDATA_TABLE)


def in_header(text: str) -> bytes:
    """Return a text as a header's value: one line, without control characters, in UTF-8."""
    if not (text.isascii() and text.isprintable()):
        text = whole(_NO_HEADER.sub(" ", text))
    return text[:HEADER_LENGTH_MAX].strip().encode()
