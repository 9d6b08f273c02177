"""From a parsed condition to Python source of this module's own making."""

import ast
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from exchange.domain.condition_text import DEPTH_MAX, ConditionError
from exchange.domain.nearest import hint


class Kind(StrEnum):
    """What a name stands for in a condition."""

    TEXT = "a text"
    NUMBER = "a number"
    BOOL = "a yes or no"
    DATE = "a date"
    """A text in the form 2026-12-31; compares as one."""


class Name(msgspec.Struct, frozen=True):
    """A field, or what follows from fields, that a condition may ask of."""

    kind: Kind
    values: tuple[str, ...] = ()
    """All that a text can be, where that is known."""


class Term(msgspec.Struct, frozen=True):
    """A side of a comparison, as code that is safe once its guards hold."""

    kind: Kind
    code: str
    guards: tuple[str, ...] = ()
    literal: str | int | bool | Decimal | None = None
    name: str | None = None


_ORDERINGS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_EQUALITIES = {ast.Eq: "==", ast.NotEq: "!="}
_MEMBERSHIPS = {ast.In: "in", ast.NotIn: "not in"}
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_GUARDS = {
    Kind.TEXT: "type({0} := get({1!r})) is str",
    Kind.DATE: "type({0} := get({1!r})) is str",
    Kind.NUMBER: "((kind := type({0} := get({1!r}))) is int or kind is Decimal)",
    Kind.BOOL: "type({0} := get({1!r})) is bool",
}
_DIGITS_MAX = 18
_DATE_LENGTH = 10


class Writer:
    """Turns a parsed condition into Python source of its own making, node by node.

    Nothing of the text goes into that source but field names that are known; every literal is a
    constant handed in beside it.
    """

    def __init__(self, text: str, names: Mapping[str, Name]) -> None:
        self.constants: dict[str, object] = {}
        self.asked: set[str] = set()
        """Every name that was met."""
        self._text = text.encode()
        self._names = names

    def constant(self, value: object) -> str:
        """Return the name under which the code finds this value."""
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def clause(self, node: ast.expr, depth: int) -> str:
        """Return code for something that holds or does not."""
        if depth > DEPTH_MAX:
            raise ConditionError("nested too deeply; split it in two")
        match node:
            case ast.BoolOp(op=op, values=values):
                word = " and " if isinstance(op, ast.And) else " or "
                return "(" + word.join(self.clause(value, depth + 1) for value in values) + ")"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(not {self.clause(operand, depth + 1)})"
            case ast.Compare():
                return self._compare(node, depth)
            case ast.Call(func=ast.Name(id="known"), args=[ast.Name(id=name)], keywords=[]):
                self._kind(name)
                return f"(get({name!r}) is not None)"
            case ast.Call(func=ast.Attribute(attr="startswith" | "endswith")):
                return self._affix(node, depth)
        term = self.term(node, depth)
        if term.kind is not Kind.BOOL:
            raise ConditionError(
                f"`{self._segment(node)}` is {term.kind}, not a yes or no; compare it"
            )
        return f"({' and '.join((*term.guards, term.code))})"

    def term(self, node: ast.expr, depth: int) -> Term:
        """Return code for a value: a field, a literal, or something computed from them."""
        if depth > DEPTH_MAX:
            raise ConditionError("nested too deeply; split it in two")
        match node:
            case ast.Name(id="true" | "false" as word):
                return Term(Kind.BOOL, word.capitalize(), literal=word == "true")
            case ast.Name(id=name):
                kind = self._kind(name)
                return Term(
                    kind, f"v_{name}", (_GUARDS[kind].format(f"v_{name}", name),), name=name
                )
            case ast.Constant():
                literal = self._literal(node)
                code = self.constant(literal.literal)
                return Term(literal.kind, code, literal=literal.literal)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._number("-{0}", self.term(operand, depth + 1))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                sides = self.term(left, depth + 1), self.term(right, depth + 1)
                return self._number(f"({{0}} {_ARITHMETIC[type(op)]} {{1}})", *sides)
            case ast.Call(func=ast.Name(id="len"), args=[operand], keywords=[]):
                side = self._text_term(operand, depth)
                return Term(Kind.NUMBER, f"len({side.code})", side.guards)
            case ast.Call(
                func=ast.Attribute(value=operand, attr="lower" | "upper" as method),
                args=[],
                keywords=[],
            ):
                side = self._text_term(operand, depth)
                return Term(Kind.TEXT, f"{side.code}.{method}()", side.guards)
        raise ConditionError(f"`{self._segment(node)}` is not in the language of conditions")

    def _compare(self, node: ast.Compare, depth: int) -> str:
        guards: list[str] = []
        tests: list[str] = []
        left: ast.expr = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(right, ast.List | ast.Tuple):
                if len(node.ops) > 1 or type(op) not in _MEMBERSHIPS:
                    raise ConditionError("a list stands only after `in` or `not in`")
                first = self.term(left, depth + 1)
                members = self.constant(self._members(first, right))
                guards += first.guards
                tests.append(f"{first.code} {_MEMBERSHIPS[type(op)]} {members}")
                continue
            first, second = self.term(left, depth + 1), self.term(right, depth + 1)
            guards += (*first.guards, *second.guards)
            tests.append(f"{first.code} {self._operator(op, first, second)} {second.code}")
            left = right
        return "(" + " and ".join((*dict.fromkeys(guards), *tests)) + ")"

    def _operator(self, op: ast.cmpop, first: Term, second: Term) -> str:
        if type(op) in _MEMBERSHIPS:
            if first.kind is not Kind.TEXT or second.kind is not Kind.TEXT:
                raise ConditionError(
                    '`in` looks in a list such as ["TX", "OK"], or for a text in a text'
                )
            return _MEMBERSHIPS[type(op)]
        self._comparable(first, second)
        if type(op) in _EQUALITIES:
            return _EQUALITIES[type(op)]
        if type(op) in _ORDERINGS:
            if first.kind is Kind.BOOL:
                raise ConditionError("a yes or no has no order; compare it by == or !=")
            return _ORDERINGS[type(op)]
        raise ConditionError("`is` is not in the language of conditions; write == or known(…)")

    def _comparable(self, first: Term, second: Term) -> None:
        for one, other in ((first, second), (second, first)):
            if one.name is not None and isinstance(other.literal, str):
                self._possible(one.name, one.kind, other.literal)
        if _comparing(first.kind) != _comparing(second.kind):
            raise ConditionError(
                f"`{first.name or first.literal}` is {first.kind}, "
                f"`{second.name or second.literal}` is {second.kind}: they never compare"
            )

    def _members(self, left: Term, node: ast.List | ast.Tuple) -> frozenset[object]:
        if left.kind is Kind.BOOL:
            raise ConditionError("a yes or no needs no list; compare it by == or !=")
        members = [self._member(element) for element in node.elts]
        if not members:
            raise ConditionError("an empty list")
        for member in members:
            self._comparable(left, member)
        return frozenset(member.literal for member in members)

    def _member(self, node: ast.expr) -> Term:
        if isinstance(node, ast.Constant):
            return self._literal(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self.term(node, 0)
        raise ConditionError(f"`{self._segment(node)}` in a list is neither text nor number")

    def _affix(self, node: ast.Call, depth: int) -> str:
        assert isinstance(node.func, ast.Attribute), "only a method has a name after a dot"
        side = self._text_term(node.func.value, depth)
        options: list[ast.expr] = []
        for argument in node.args:
            options += argument.elts if isinstance(argument, ast.Tuple | ast.List) else [argument]
        literals = [option.value for option in options if isinstance(option, ast.Constant)]
        texts = [literal for literal in literals if isinstance(literal, str)]
        if len(node.args) != 1 or node.keywords or len(texts) != len(options):
            raise ConditionError(
                f'`{node.func.attr}` takes a text such as "787", or a list of texts'
            )
        call = f"{side.code}.{node.func.attr}({self.constant(tuple(texts))})"
        return "(" + " and ".join((*side.guards, call)) + ")"

    def _text_term(self, node: ast.expr, depth: int) -> Term:
        side = self.term(node, depth + 1)
        if _comparing(side.kind) is not Kind.TEXT:
            raise ConditionError(f"`{self._segment(node)}` is {side.kind}, not a text")
        return side

    def _number(self, form: str, *sides: Term) -> Term:
        for side in sides:
            if side.kind is not Kind.NUMBER:
                raise ConditionError(f"`{side.name or side.literal}` is {side.kind}, not a number")
        guards = tuple(guard for side in sides for guard in side.guards)
        literal = sides[0].literal
        if form == "-{0}" and isinstance(literal, int | Decimal):
            return Term(Kind.NUMBER, self.constant(-literal), literal=-literal)
        return Term(Kind.NUMBER, form.format(*(side.code for side in sides)), guards)

    def _literal(self, node: ast.Constant) -> Term:
        value = node.value
        if isinstance(value, bool):
            return Term(Kind.BOOL, "", literal=value)
        if isinstance(value, str):
            return Term(Kind.TEXT, "", literal=value)
        if isinstance(value, int | float):
            digits = self._segment(node).replace("_", "")
            if len(digits) > _DIGITS_MAX:
                raise ConditionError(f"a number with more than {_DIGITS_MAX} digits")
            # From the text: a binary float never stands between the file and the comparison.
            exact = Decimal(digits) if "." in digits else int(digits)
            return Term(Kind.NUMBER, "", literal=exact)
        raise ConditionError(f"`{self._segment(node)}` is not in the language; write known(…)")

    def _kind(self, name: str) -> Kind:
        known = self._names.get(name)
        if known is None:
            raise ConditionError(f'"{name}" is no field{hint(name, self._names)}')
        self.asked.add(name)
        return known.kind

    def _possible(self, name: str, kind: Kind, literal: str) -> None:
        values = self._names[name].values
        if values and literal not in values:
            raise ConditionError(f'"{name}" is never "{literal}"{hint(literal, values)}')
        if kind is Kind.DATE and not _is_date(literal):
            raise ConditionError(f'"{name}" is a date: compare it with one such as "2026-12-31"')

    def _segment(self, node: ast.expr) -> str:
        # The text is one line; `ast` counts its bytes.
        return self._text[node.col_offset : node.end_col_offset].decode()[:80]


def _comparing(kind: Kind) -> Kind:
    return Kind.TEXT if kind is Kind.DATE else kind


def _is_date(text: str) -> bool:
    year, month, day = text[:4], text[5:7], text[8:]
    digits = (year + month + day).isdecimal()
    return len(text) == _DATE_LENGTH and digits and text == f"{year}-{month}-{day}"
