"""What must hold in a mapping beside its messages: parameters, maps and values."""

from exchange.contract.mapping import MappingPart
from exchange.dialect.faults import Place
from exchange.dialect.scope import HALF_SECRET, VALUE, Scope, is_half_secret
from exchange.dialect.values import check_value
from exchange.dialect.words import alike, text_of

TABLES_MAX = 100
WORDS_MAX = 5_000
TEXT_MAX = 2_000


def check_shape(mapping: MappingPart, scope: Scope, place: Place) -> None:
    """Keep what is wrong with a mapping beside its messages."""
    if mapping.ping is None and mapping.post is None:
        place.fault("needs a ping or a post")
    _check_params(mapping, place)
    for table in ("maps", "value", "vertical"):
        if len(getattr(mapping, table)) > TABLES_MAX:
            place.at(table).fault(f"has more than {TABLES_MAX} entries")
    for name, words in mapping.maps.items():
        _check_map(words, place.at("maps", name))
    # A value may name no other value, so that none is made of itself.
    free = scope.without(VALUE)
    for name, value in mapping.value.items():
        check_value(value, free, place.at("value", name))


def _check_params(mapping: MappingPart, place: Place) -> None:
    own = [(place.at("params"), mapping.params)]
    own += [
        (place.at("vertical", name, "params"), vertical.params)
        for name, vertical in mapping.vertical.items()
    ]
    for here, params in own:
        if len(params) > TABLES_MAX:
            here.fault(f"has more than {TABLES_MAX} parameters")
        for name, value in params.items():
            text = text_of(value)
            if text is None or len(text) > TEXT_MAX:
                here.at(name).fault(f"is a number, a yes or no, or at most {TEXT_MAX} characters")
            if is_half_secret(value):
                here.at(name).fault(HALF_SECRET)


def _check_map(words: object, place: Place) -> None:
    assert isinstance(words, dict), "a map is a table"
    if not words:
        place.fault("a map needs a word")
    if len(words) > WORDS_MAX:
        place.fault(f"has more than {WORDS_MAX} words")
    seen: dict[str | None, str] = {}
    for word, meant in words.items():
        if text_of(meant) is None:
            place.at(word).fault("means a number that no message can hold")
        first = seen.setdefault(alike(word), word)
        if first is not word:
            place.at(word).fault(f'is the same word as "{first}": capitals do not count')
