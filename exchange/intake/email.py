"""E-mail addresses: their syntax is checked, their domain is lower case; nobody is asked."""

import re

from email_validator import EmailNotValidError, validate_email

from exchange.intake.errors import Bad, Code

EMAIL_LENGTH_MAX = 254
INVALID = Bad(Code.INVALID_EMAIL, "must be an e-mail address")

# What nearly every address looks like; whatever looks otherwise takes the long way.
PLAIN = re.compile(
    r"([A-Za-z0-9_+-]{1,64}(?:\.[A-Za-z0-9_+-]{1,64})*)"
    r"@((?:[A-Za-z0-9]{1,30}(?:-[A-Za-z0-9]{1,30})?\.){1,3}([A-Za-z]{2,20}))\Z"
)
# No part of a domain is so long; how long one takes to be found wrong grows with its square.
LONG_LABEL = re.compile(r"[^@.\u3002\uff0e\uff61]{64}[^@]*\Z")
PLAIN_LOCAL_MAX = 64
PLAIN_LENGTH_MAX = 180
NOT_PUBLIC = frozenset({"arpa", "invalid", "local", "localhost", "onion"})


def normalize_email(text: str) -> str | Bad:
    """Return the address with its domain in lower case.

    Domains that are reserved and can hold no mailbox are refused, but for `.test`, which is
    what people try things out with.
    """
    plain = PLAIN.match(text)
    if plain is not None and len(plain[1]) <= PLAIN_LOCAL_MAX and len(text) <= PLAIN_LENGTH_MAX:
        domain = plain[2].lower()
        if plain[3].lower() not in NOT_PUBLIC:
            return f"{plain[1]}@{domain}"
    if len(text) > EMAIL_LENGTH_MAX or LONG_LABEL.search(text):
        return INVALID
    try:
        return validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        return INVALID


def domain_of(address: str) -> str:
    """Return the domain of a normalized address."""
    return address.rpartition("@")[2]
