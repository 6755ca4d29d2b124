"""As much of the Common Expression Language as our rules use; anything else is an error, so that no
rule passes unread. Values are those of JSON; `self` is the value that a rule belongs to."""
import functools
import re

TOKEN = re.compile(r"\s*(?:(?P<number>\d+)|(?P<text>'[^']*')|(?P<name>[A-Za-z_]\w*)|"
                   r"(?P<op>&&|\|\||==|!=|>=|<=|[-+<>!?:.,()\[\]]))")
BINARY = [{"||"}, {"&&"}, {"==", "!=", "<", "<=", ">", ">=", "in"}, {"+", "-"}]


class Wrong(Exception):
    """The expression cannot be read, or asks for something that is not there."""


def tokens(text):
    at, out = 0, []
    while at < len(text.rstrip()):
        found = TOKEN.match(text, at)
        if not found:
            raise Wrong(f"cannot read {text[at:]!r}")
        out.append((found.lastgroup, found.group(found.lastgroup)))
        at = found.end()
    return out + [("end", "")]


class Parser:
    """To nested tuples, the operator first."""

    def __init__(self, text):
        self.rest = tokens(text)

    def peek(self):
        return self.rest[0][1] if self.rest[0][0] != "text" else None

    def take(self, wanted=None):
        kind, text = self.rest.pop(0)
        if wanted is not None and (text != wanted or kind == "text"):
            raise Wrong(f"{wanted!r} is needed, not {text!r}")
        return kind, text

    def whole(self):
        out = self.ternary()
        self.take("")
        return out

    def ternary(self):
        test = self.binary(0)
        if self.peek() != "?":
            return test
        self.take("?")
        one = self.ternary()
        self.take(":")
        return ("?", test, one, self.ternary())

    def binary(self, level):
        if level == len(BINARY):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek() in BINARY[level]:
            left = (self.take()[1], left, self.binary(level + 1))
        return left

    def unary(self):
        if self.peek() == "!":
            self.take()
            return ("!", self.unary())
        out = self.primary()
        while self.peek() == ".":
            self.take()
            name = self.take()[1]
            out = ("call", name, out, self.arguments()) if self.peek() == "(" else (".", out, name)
        return out

    def arguments(self, end=")"):
        self.take("(" if end == ")" else "[")
        out = []
        while self.peek() != end:
            out.append(self.ternary())
            if self.peek() == ",":
                self.take()
        self.take(end)
        return out

    def primary(self):
        kind, text = self.rest[0]
        if text == "(" and kind == "op":
            self.take()
            out = self.ternary()
            self.take(")")
            return out
        if text == "[" and kind == "op":
            return ("list", self.arguments("]"))
        self.take()
        if kind == "number":
            return ("value", int(text))
        if kind == "text":
            return ("value", text[1:-1])
        if kind != "name":
            raise Wrong(f"unexpected {text!r}")
        if self.peek() == "(":
            return ("function", text, self.arguments())
        return ("name", text)


@functools.lru_cache(maxsize=None)
def parse(text):
    return freeze(Parser(text).whole())


def freeze(tree):
    return tuple(freeze(item) if isinstance(item, (tuple, list)) else item for item in tree)


def evaluate(text, value):
    return run(parse(text), {"self": value})


COMPARE = {"==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
           "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
           "+": lambda a, b: a + b, "-": lambda a, b: a - b, "in": lambda a, b: a in b}
METHODS = {"size": lambda it: len(it),
           "matches": lambda it, pattern: re.search(pattern.replace("$", r"\Z"), it) is not None,
           "endsWith": lambda it, end: it.endswith(end),
           "startsWith": lambda it, start: it.startswith(start)}


def run(tree, names):
    kind = tree[0]
    if kind == "value":
        return tree[1]
    if kind == "name":
        if tree[1] not in names:
            raise Wrong(f"no {tree[1]}")
        return names[tree[1]]
    if kind == "list":
        return [run(item, names) for item in tree[1]]
    if kind == ".":
        of = run(tree[1], names)
        if not isinstance(of, dict) or tree[2] not in of:
            raise Wrong(f"no field {tree[2]}")
        return of[tree[2]]
    if kind == "!":
        return not run(tree[1], names)
    if kind == "?":
        return run(tree[2] if run(tree[1], names) else tree[3], names)
    if kind in ("&&", "||"):
        first = run(tree[1], names)
        return run(tree[2], names) if first == (kind == "&&") else first
    if kind in COMPARE:
        return COMPARE[kind](run(tree[1], names), run(tree[2], names))
    if kind == "function":
        return call(tree, names)
    return method(tree, names)


def call(tree, names):
    if tree[1] != "has" or len(tree[2]) != 1 or tree[2][0][0] != ".":
        raise Wrong(f"no function {tree[1]}")
    of = run(tree[2][0][1], names)
    return isinstance(of, dict) and tree[2][0][2] in of


def method(tree, names):
    _, name, of, arguments = tree
    it = run(of, names)
    if name in ("all", "exists", "filter"):  # a map gives its keys
        test = [(item, run(arguments[1], {**names, arguments[0][1]: item})) for item in it]
        if name == "filter":
            return [item for item, good in test if good]
        return all(good for _, good in test) if name == "all" else any(good for _, good in test)
    if name not in METHODS:
        raise Wrong(f"no method {name}")
    return METHODS[name](it, *[run(argument, names) for argument in arguments])
