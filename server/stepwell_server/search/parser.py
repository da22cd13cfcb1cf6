"""Parses filters and orders with the grammar in grammar.lark; what is wrong is an error that points at the place."""

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any, NoReturn

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedToken, VisitError
from lark.visitors import Transformer_NonRecursive

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.search import expressions as ex
from stepwell_server.search.messages import problem, unexpected
from stepwell_server.search.subjects import Subject

FILTER_CHARS_MAX = 200_000  # a list of 5,000 run ids fits
CONDITIONS_MAX = 100  # each is evaluated for each run
PATTERN_CHARS_MAX = 1_000
NUMBER_CHARS_MAX = 400  # a double needs 24
ORDER_KEYS_MAX = 10

_OPERATORS = {operator.value: operator for operator in ex.Operator} | {
    "==": ex.Operator.EQUAL,
    "<>": ex.Operator.NOT_EQUAL,
}


class _Builder(Transformer_NonRecursive[Token, Any]):
    """Makes expressions of what the parser read, from the leaves up and without recursion: no nesting is too deep."""

    def __init__(self, text: str, subject: Subject) -> None:
        super().__init__()
        self._text = text
        self._subject = subject
        self._conditions = 0

    def filter(self, parts: list[Any]) -> ex.Expression:
        return parts[0]  # type: ignore[no-any-return]

    def order(self, parts: list[Any]) -> ex.OrderKey:
        field, direction = parts
        if field.kind is ex.FieldKind.DATASET:
            reason = f"{field} cannot order runs, because a run may have many data sets"
            raise problem(self._text, len(self._text) - len(self._text.lstrip()), reason)
        return ex.OrderKey(field, direction is not None and direction.type == "DESC")

    def disjunction(self, parts: list[Any]) -> ex.Expression:
        return ex.Or(_flat(ex.Or, parts))

    def conjunction(self, parts: list[Any]) -> ex.Expression:
        return ex.And(_flat(ex.And, parts))

    def negated(self, parts: list[Any]) -> ex.Expression:
        return _not(parts[1])

    def comparison(self, parts: list[Any]) -> ex.Expression:
        field, operator, value = parts
        (compared,) = self._fitting(field, value)
        if operator in (ex.Operator.EQUAL, ex.Operator.NOT_EQUAL):
            self._check_words(field, value)
        return self._counted(ex.Comparison(field, operator, compared))

    def comparator(self, parts: list[Token]) -> ex.Operator:
        return _OPERATORS[str(parts[0])]

    def between(self, parts: list[Any]) -> ex.Expression:
        field, negation, _, *bounds = parts
        return self._counted(ex.Between(field, *self._fitting(field, *bounds)), negation)

    def membership(self, parts: list[Any]) -> ex.Expression:
        field, negation, _, *values = parts
        listed = self._fitting(field, *values)
        self._check_words(field, *values)
        if field.kind is ex.FieldKind.DATASET:
            return self._counted(ex.In(field, listed, negated=negation is not None))
        return self._counted(ex.In(field, listed), negation)

    def likeness(self, parts: list[Any]) -> ex.Expression:
        field, negation, word, string, _, given = parts
        escape = _unquoted(given) if given is not None else ""
        if given is not None and len(escape) != 1:
            self._refuse(given, "ESCAPE takes one character")
        try:
            pattern = _with_backslashes(_unquoted(string), escape)
        except ValueError as unfinished:
            self._refuse(string, str(unfinished))
        return self._matching(field, negation, word, string, pattern)

    def pattern(self, parts: list[Any]) -> ex.Expression:
        field, negation, word, string = parts
        return self._matching(field, negation, word, string, _unquoted(string))

    def _matching(
        self, field: ex.Field, negation: Token | None, word: Token, string: Token, pattern: str
    ) -> ex.Expression:
        if field.value_type is not ex.ValueType.TEXT:
            self._refuse(word, f"{field} is a number; patterns are for text")
        if len(_unquoted(string)) > PATTERN_CHARS_MAX:
            self._refuse(string, f"the pattern is longer than {PATTERN_CHARS_MAX:,} characters")
        kind = ex.PatternKind.REGEXP if word.type == "REGEXP" else ex.PatternKind[word.type]
        return self._counted(ex.Matches(field, kind, pattern, string.start_pos or 0), negation)

    def presence(self, parts: list[Any]) -> ex.Expression:
        return self._counted(ex.IsNull(parts[0]), parts[2])

    def plain(self, parts: list[Token]) -> ex.Field:
        return self._field(parts[0], None)

    def bare(self, parts: list[Token]) -> ex.Field:
        token = parts[0]
        name = str(token) if token.type == "NAME" else token[1:-1]
        return self._known(token, "", name, None)

    def function(self, parts: list[Token]) -> ex.Field:
        return self._field(parts[1], parts[0])

    def value(self, parts: list[Token]) -> Token:
        return parts[0]

    def _field(self, token: Token, function: Token | None) -> ex.Field:
        prefix, key = token.split(".", 1)
        return self._known(function or token, prefix, key[1:-1] if key[0] in '`"' else key, function)

    def _known(self, token: Token, prefix: str, key: str, function: Token | None) -> ex.Field:
        try:
            return self._subject.field(prefix, key, function and str(function))
        except ValueError as unknown:
            self._refuse(token, str(unknown))

    def _fitting(self, field: ex.Field, *tokens: Token) -> tuple[ex.Value, ...]:
        """Return the values, all of the type that the field or the first of them has."""
        values: list[ex.Value] = []
        for token in tokens:
            if token.type == "NUMBER" and len(token) > NUMBER_CHARS_MAX:
                self._refuse(token, f"the number is longer than {NUMBER_CHARS_MAX} characters")
            value = _value(token)
            if field.key == "experiment_id" and isinstance(value, str) and value.isdecimal():
                value = Decimal(value)  # ids are written as texts elsewhere
            if isinstance(value, str) and field.value_type is ex.ValueType.NUMBER:
                self._refuse(token, f"{field} is a number; compare it with a number, without quotes")
            never_numbers = field.kind in (ex.FieldKind.ATTRIBUTE, ex.FieldKind.DATASET)
            is_text = field.value_type is ex.ValueType.TEXT and never_numbers
            if isinstance(value, Decimal) and is_text:
                self._refuse(token, f"{field} is a text; compare it with a text in quotes")
            if values and type(values[0]) is not type(value):
                self._refuse(token, "numbers and texts are mixed; give values of one kind")
            values.append(value)
        return tuple(values)

    def _check_words(self, field: ex.Field, *tokens: Token) -> None:
        """Refuse what an attribute never is, such as the status 'finished': it would find nothing, silently."""
        words = self._subject.words.get(field.key) if field.kind is ex.FieldKind.ATTRIBUTE else None
        for token in tokens:
            if words and _unquoted(token) not in words:
                self._refuse(token, f"{field} is one of {', '.join(words)}")

    def _counted(self, condition: ex.Condition, negation: Token | None = None) -> ex.Expression:
        self._conditions += 1
        if self._conditions > CONDITIONS_MAX:
            raise InvalidArgumentError(
                f"the filter has more than {CONDITIONS_MAX} conditions; use IN for lists of values"
            )
        return condition if negation is None else ex.Not(condition)

    def _refuse(self, token: Token, reason: str) -> NoReturn:
        raise problem(self._text, token.start_pos or 0, reason)


def parse_filter(text: str, subject: Subject) -> ex.Expression | None:
    """Parse a filter; None for an empty one, which everything fulfils.

    Raises:
        InvalidArgumentError: it cannot be read, names something that there is not, or compares what does not fit.
    """
    if len(text) > FILTER_CHARS_MAX:
        raise InvalidArgumentError(
            f"the filter has {len(text):,} characters, at most {FILTER_CHARS_MAX:,} are allowed"
        )
    return _parse("filter", text, subject) if text.strip() else None


def parse_order(texts: Sequence[str], subject: Subject) -> tuple[ex.OrderKey, ...]:
    """Parse the keys of an order. Raises InvalidArgumentError as `parse_filter`, and for a field that occurs twice."""
    if len(texts) > ORDER_KEYS_MAX:
        raise InvalidArgumentError(f"the order has {len(texts)} keys, at most {ORDER_KEYS_MAX} are allowed")
    keys: list[ex.OrderKey] = [_parse("order", text[:FILTER_CHARS_MAX], subject) for text in texts]
    for number, key in enumerate(keys):
        if any(key.field == earlier.field for earlier in keys[:number]):
            raise InvalidArgumentError(f"the order has {key.field} twice; give each field once")
    return tuple(keys)


@cache
def _grammar(start: str) -> Lark:
    text = (files(__package__) / "grammar.lark").read_text("utf-8")
    return Lark(text, start=start, parser="lalr", maybe_placeholders=True, propagate_positions=False)


def _parse(start: str, text: str, subject: Subject) -> Any:
    if "\0" in text:
        raise problem(text, text.index("\0"), "a NUL character cannot be searched for")
    try:
        return _Builder(text, subject).transform(_grammar(start).parse(text))
    except VisitError as error:
        raise error.orig_exc from None
    except UnexpectedCharacters as error:
        # What the lexer would take there (`error.allowed`) is more than what the grammar does.
        accepted = error.interactive_parser.accepts()  # type: ignore[no-untyped-call]
        raise unexpected(text, error.pos_in_stream or 0, accepted) from None
    except UnexpectedToken as error:
        at_end = error.token.type == "$END"
        raise unexpected(
            text, len(text) if at_end else error.token.start_pos or 0, error.accepts or ()
        ) from None


def _value(token: Token) -> ex.Value:
    if token.type == "STRING":
        return _unquoted(token)
    number = float(token)
    if isfinite(number):
        return Decimal(token) if number else Decimal(0)  # less than any double is nothing
    return Decimal("Infinity") if number > 0 else Decimal("-Infinity")


def _unquoted(token: Token) -> str:
    quote = token[0]
    return token[1:-1].replace(quote * 2, quote)


def _with_backslashes(pattern: str, escape: str) -> str:
    """Return a pattern in which a backslash escapes, from one in which `escape` does, or nothing if it is empty.

    Raises:
        ValueError: the pattern ends with its escape.
    """
    translated, characters = "", iter(pattern)
    for character in characters:
        if character == escape:
            character = next(characters, "")
            if not character:
                raise ValueError(
                    f"the pattern ends with {escape!r}, which takes the next character literally"
                )
            translated += "\\" + character
        else:
            translated += character.replace("\\", r"\\")
    return translated


def _not(operand: ex.Expression) -> ex.Expression:
    return operand.operand if isinstance(operand, ex.Not) else ex.Not(operand)


def _flat(kind: type[ex.And] | type[ex.Or], operands: list[ex.Expression]) -> tuple[ex.Expression, ...]:
    """Open operands of the same kind: (a AND b) AND c is a AND b AND c."""
    return tuple(
        part
        for operand in operands
        for part in (operand.operands if isinstance(operand, kind) else (operand,))
    )
