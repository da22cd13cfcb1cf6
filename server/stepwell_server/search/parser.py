"""Parses filters and orders with the grammar in grammar.lark; what is wrong is an error that points at the place."""

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import islice
from math import isfinite
from typing import Any, NoReturn

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedToken, VisitError
from lark.visitors import Transformer_NonRecursive

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.search import expressions as ex
from stepwell_server.search.messages import problem, unexpected
from stepwell_server.search.patterns import PATTERN_CHARS_MAX, check_pattern
from stepwell_server.search.subjects import Subject

FILTER_CHARS_MAX = 200_000  # a list of 5,000 run ids fits
VALUES_MAX = 10_000  # in the lists of a filter, all together
CONDITIONS_MAX = 100  # each is evaluated for each run
NESTING_MAX = 100  # parentheses that are open at once
TOKENS_MAX = 2_000  # words and signs; a list of values counts as one. At 30 us each, 60 ms
ORDER_CHARS_MAX = 2_000
# What is longer is parsed in another thread: a token takes 30 us, and nearly each character may be one.
SHORT_CHARS_MAX = 500
NUMBER_CHARS_MAX = 400  # a double needs 24
ORDER_KEYS_MAX = 10

# One at a time: who sends many long filters waits for himself, and neither the loop nor the commits' threads do.
_aside = ThreadPoolExecutor(1, "filters")

_STRING = re.compile(r"""'(?:[^']|'')*+'|"(?:[^"]|"")*+\"""")
# A value in a text that is known to be a list.
_VALUE = re.compile(r"""'(?:[^']|'')*+'|"(?:[^"]|"")*+"|[^\s,()]+""")

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
        self._values = 0

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
            if self._is_in_any_case(field):
                same = self._counted(_in_any_case(field, compared))
                return same if operator is ex.Operator.EQUAL else _not(same)
        return self._counted(ex.Comparison(field, operator, compared))

    def comparator(self, parts: list[Token]) -> ex.Operator:
        return _OPERATORS[str(parts[0])]

    def between(self, parts: list[Any]) -> ex.Expression:
        field, negation, _, *bounds = parts
        return self._counted(ex.Between(field, *self._fitting(field, *bounds)), negation)

    def membership(self, parts: list[Any]) -> ex.Expression:
        field, negation, _, *tokens = parts
        values = list(islice(_elements(tokens[0]), VALUES_MAX + 1)) if tokens[0].type == "LIST" else tokens
        self._values += len(values)
        if self._values > VALUES_MAX:
            raise _too_many_values()
        listed = self._fitting(field, *values)
        self._check_words(field, *values)
        if field.kind is ex.FieldKind.DATASET:
            return self._counted(ex.In(field, listed, negated=negation is not None))
        if self._is_in_any_case(field):
            among = ex.Or(tuple(self._counted(_in_any_case(field, value)) for value in listed))
            return among if negation is None else _not(among)
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
        if kind is ex.PatternKind.REGEXP:
            try:
                check_pattern(pattern)
            except ValueError as unsafe:
                self._refuse(string, str(unsafe))
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

    def _is_in_any_case(self, field: ex.Field) -> bool:
        return field.kind is ex.FieldKind.ATTRIBUTE and field.key in self._subject.in_any_case

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
    if text.count(",") > VALUES_MAX and _STRING.sub("", text).count(",") > VALUES_MAX:
        raise _too_many_values()  # before they are looked at: that takes longest, and nothing else runs meanwhile
    return _parse("filter", text, subject) if text.strip() else None


async def parse_filter_aside(text: str, subject: Subject) -> ex.Expression | None:
    """Parse a filter as `parse_filter`, a long one without holding up the loop."""
    if len(text) <= SHORT_CHARS_MAX:
        return parse_filter(text, subject)
    return await asyncio.get_running_loop().run_in_executor(_aside, parse_filter, text, subject)


def parse_order(texts: Sequence[str], subject: Subject) -> tuple[ex.OrderKey, ...]:
    """Parse the keys of an order. Raises InvalidArgumentError as `parse_filter`, and for a field that occurs twice."""
    if len(texts) > ORDER_KEYS_MAX:
        raise InvalidArgumentError(f"the order has {len(texts)} keys, at most {ORDER_KEYS_MAX} are allowed")
    if any(len(text) > ORDER_CHARS_MAX for text in texts):
        raise InvalidArgumentError(f"a key of an order may have {ORDER_CHARS_MAX:,} characters")
    keys: list[ex.OrderKey] = [_parse("order", text, subject) for text in texts]
    for number, key in enumerate(keys):
        if any(key.field == earlier.field for earlier in keys[:number]):
            raise InvalidArgumentError(f"the order has {key.field} twice; give each field once")
    return tuple(keys)


def parse_field(text: str, subject: Subject) -> ex.Field:
    """Parse the name of a field, as it stands in a filter. Raises InvalidArgumentError as `parse_filter`."""
    field: ex.Field = _parse("field", text[:ORDER_CHARS_MAX], subject)
    return field


def prepare_grammar() -> None:
    """Load what parsing needs, so that the first search does not wait for it (40 ms)."""
    for start in ("filter", "order", "field"):
        _grammar(start)


@cache
def _grammar(start: str) -> Lark:
    text = (files(__package__) / "grammar.lark").read_text("utf-8")
    return Lark(text, start=start, parser="lalr", maybe_placeholders=True, propagate_positions=False)


def _parse(start: str, text: str, subject: Subject) -> Any:
    if "\0" in text:
        raise problem(text, text.index("\0"), "a NUL character cannot be searched for")
    try:
        return _Builder(text, subject).transform(_tree(start, text))
    except VisitError as error:
        raise error.orig_exc from None
    except UnexpectedCharacters as error:
        # What the lexer would take there (`error.allowed`) is more than what the grammar does.
        raise unexpected(text, error.pos_in_stream or 0, _accepted(error)) from None
    except UnexpectedToken as error:
        at_end = error.token.type == "$END"
        raise unexpected(
            text, len(text) if at_end else error.token.start_pos or 0, _accepted(error)
        ) from None


def _tree(start: str, text: str) -> Any:
    """Parse token by token, and give up where it becomes too much."""
    parser = _grammar(start).parse_interactive(text)
    tokens = depth = 0
    last: Token | None = None
    try:
        for last in parser.iter_parse():
            tokens += 1
            depth += (last.type == "LPAR") - (last.type == "RPAR")
            if tokens > TOKENS_MAX:
                raise problem(
                    text, last.start_pos or 0, f"the search has more than {TOKENS_MAX:,} words and signs"
                )
            if depth > NESTING_MAX:
                raise problem(text, last.start_pos or 0, f"more than {NESTING_MAX} parentheses are open here")
        return parser.feed_eof(last)  # type: ignore[no-untyped-call]
    except (UnexpectedCharacters, UnexpectedToken) as error:
        error.interactive_parser = parser
        raise


def _accepted(error: UnexpectedCharacters | UnexpectedToken) -> Iterable[str]:
    """Return the terminals that could stand where it went wrong; a list is for the message what it begins with."""
    accepted = error.interactive_parser.accepts()  # type: ignore[no-untyped-call]
    return {"LPAR" if terminal == "LIST" else terminal for terminal in accepted}


def _too_many_values() -> InvalidArgumentError:
    return InvalidArgumentError(
        f"the filter has more than {VALUES_MAX:,} values in lists; search in several parts"
    )


def _elements(token: Token) -> Iterator[Token]:
    """Yield the values of a list, each where it stands in the search."""
    start = token.start_pos or 0
    for found in _VALUE.finditer(token):
        yield Token("STRING" if found[0][0] in "'\"" else "NUMBER", found[0], start + found.start())


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


def _in_any_case(field: ex.Field, value: ex.Value) -> ex.Matches:
    """Return the condition that a text is another one but for upper and lower case."""
    return ex.Matches(field, ex.PatternKind.ILIKE, re.sub(r"([\\%_])", r"\\\1", str(value)))


def _not(operand: ex.Expression) -> ex.Expression:
    return operand.operand if isinstance(operand, ex.Not) else ex.Not(operand)


def _flat(kind: type[ex.And] | type[ex.Or], operands: list[ex.Expression]) -> tuple[ex.Expression, ...]:
    """Open operands of the same kind: (a AND b) AND c is a AND b AND c."""
    return tuple(
        part
        for operand in operands
        for part in (operand.operands if isinstance(operand, kind) else (operand,))
    )
