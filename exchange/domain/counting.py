"""Numbers of things as people read them: never `1 leads`."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return `1 lead` or `1,024 leads`; `many` where an s does not make it more than one."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def is_or_are(count: int) -> str:
    """Return the verb that stands between so many things and what they are."""
    return "is" if count == 1 else "are"
