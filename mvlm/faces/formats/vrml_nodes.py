"""The nodes of a VRML 2.0 file: what each field that a face needs holds, and where. Anything else is passed over.

Nodes are parsed whatever their order and layout, but a list of numbers is only located on the way; so a scan costs
about what reading its numbers costs. What nobody looks at (materials, lights, sensors, scripts, prototypes) need only
have its brackets closed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from mvlm.faces.formats.files import read_text

_TOKEN = re.compile(rb'\s*([{}\[\]"]|[^\s{}\[\]"]+)')
_NUMBERS = re.compile(rb'(?:\s*+[+-]?(?:\.?[0-9][^\s{}\[\]"]*+|(?:nan|inf)(?:inity)?(?:\(\w*+\))?(?![^\s{}\[\]"])))++',
                      re.IGNORECASE)
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)  # possessive: nothing to remember for each byte
_BRACKET = re.compile(rb"[{}\[\]]")
_CLOSED = {b"{": b"}", b"[": b"]"}
_NOT_A_NUMBER = re.compile(rb"#(IND|INF|QNAN|SNAN)", re.IGNORECASE)  # as in 1.#IND, written by some C libraries
_LISTS_OF_NUMBERS = (b"point", b"coordIndex", b"texCoordIndex")
# What is read of a node; of one that is not here but has a Shape in it, all.
_FIELDS = {
    b"Transform": (b"children", b"translation", b"rotation", b"scale", b"scaleOrientation", b"center"),
    b"LOD": (b"level", b"children"),
    b"Switch": (b"choice", b"children", b"whichChoice"),
    b"Inline": (b"url",),
    b"Shape": (b"appearance", b"geometry"),
    b"Appearance": (b"texture", b"textureTransform"),
    b"ImageTexture": (b"url", b"repeatS", b"repeatT"),
    b"TextureTransform": (b"translation", b"rotation", b"scale", b"center"),
    b"IndexedFaceSet": (b"coord", b"coordIndex", b"texCoord", b"texCoordIndex", b"ccw"),
    b"Coordinate": (b"point",),
    b"TextureCoordinate": (b"point",),
    **dict.fromkeys((b"Group", b"Anchor", b"Billboard", b"Collision"), (b"children",)),
}
_BEGIN_NODES = (b"DEF", b"USE", b"NULL")
_OPAQUE = (b"Script",)  # declares fields, where others have values
_DEEPEST = 64  # nodes within nodes; real files have about six
MOST = 10_000  # nodes, routes and fields of a file; real ones have about thirty
_MOST_REMARKS = 100_000  # strings and comments; one for each vertex would still be read
_MOST_BRACKETS = 250_000  # passed over; as many as nodes and lists of the largest scene would have, and more
_LONGEST_NAME = 8  # words of a name in DEF; there should be one

Span = tuple[int, int]  # from, to: bytes of the file


@dataclass
class Node:
    """A node: its kind, or `USE name` if no such name was defined before; where it is; plain values, or nodes."""

    kind: bytes
    at: int
    fields: dict[bytes, Span | Node | list[Node] | None] = field(default_factory=dict)

    def children(self, *names: bytes) -> list[Node]:
        """The nodes in fields of these names, or in all."""
        found = []
        for value in [self.fields.get(name) for name in names] if names else self.fields.values():
            found += value if isinstance(value, list) else [value] if isinstance(value, Node) else []
        return found


class Document:
    """A parsed file: its root nodes, and the text with which their spans are read."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.position = path, read_text(path), 0
        if not re.match(rb"\s*#VRML[ \t]+V2\.0", self.data, re.IGNORECASE):
            found = repr(self.data[:20].decode("latin-1")) if self.data else "an empty file"
            raise self.error(0, "`#VRML V2.0 utf8`", found)
        self.text = self.without_comments()
        self.parts = self.brackets = 0  # nodes and fields; brackets passed over
        self.named: dict[bytes, Node] = {}
        self.prototypes = 0
        self.roots: list[Node] = []
        while self.peek() is not None:
            if (node := self.statement(0)) is not None:
                self.roots.append(node)

    def error(self, at: int, expected: str, found: str) -> ValueError:
        line = self.data.count(b"\n", 0, at) + 1
        return ValueError(f"{self.path}, line {line}: expected {expected}, found {found:.100}")

    # -- words ------------------------------------------------------------------------------------------------------

    def without_comments(self) -> bytes:
        """The file with comments and commas blanked and strings filled with x: brackets in them mean nothing.

        Every other byte keeps its place: what a string says is read from `data`.
        """
        text, at = bytearray(self.data), 0
        quote, sharp = self.data.find(b'"'), self.data.find(b"#")
        for number in count():
            if quote < 0 and sharp < 0:
                break
            if number == _MOST_REMARKS:
                raise self.error(at, f"at most {_MOST_REMARKS} strings and comments", "more of them")
            if sharp < 0 or 0 <= quote < sharp:
                string = STRING.match(self.data, quote)
                if string is None:
                    raise self.error(quote, "a closing quote", "the end of the file")
                at = string.end()
                text[quote + 1:at - 1] = b"x" * (at - quote - 2)
            elif self.data[sharp - 1:sharp] == b"." and _NOT_A_NUMBER.match(self.data, sharp):
                at = sharp + 1  # part of a word
            else:
                at = self.data.find(b"\n", sharp)
                at = len(self.data) if at < 0 else at
                carriage_return = self.data.find(b"\r", sharp, at)
                at = at if carriage_return < 0 else carriage_return
                text[sharp:at] = b" " * (at - sharp)
            quote = quote if quote < 0 or quote >= at else self.data.find(b'"', at)
            sharp = sharp if sharp < 0 or sharp >= at else self.data.find(b"#", at)
        return bytes(text).replace(b",", b" ")  # a comma is white space

    def peek(self) -> bytes | None:
        match = _TOKEN.match(self.text, self.position)
        return match[1] if match else None

    def take(self, expected: str) -> tuple[bytes, int]:
        """The next word and where it starts; `expected` says what the grammar wants, for the error at the end."""
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            raise self.error(len(self.data), expected, "the end of the file: truncated?")
        self.position = match.end()
        return match[1], match.start(1)

    def pass_brackets(self, at: int) -> None:
        """Goes behind the bracket that closes the one at a byte."""
        opened = []
        for match in _BRACKET.finditer(self.text, at):
            if match[0] in _CLOSED:
                opened.append(match[0])
            elif not opened or _CLOSED[opened.pop()] != match[0]:
                raise self.error(match.start(), "brackets that close as they open", repr(match[0].decode()))
            self.brackets += 1
            if self.brackets > _MOST_BRACKETS:
                raise self.error(match.start(), f"at most {_MOST_BRACKETS} brackets in nodes of no weight", "more")
            if not opened:
                self.position = match.end()
                return
        raise self.error(at, f"a bracket that closes this {self.text[at:at + 1].decode()}", "none: truncated?")

    # -- nodes ------------------------------------------------------------------------------------------------------

    def statement(self, depth: int) -> Node | None:
        word, at = self.take("a node")
        if word in (b"ROUTE", b"PROTO", b"EXTERNPROTO"):
            self.count_part(at)
            self.pass_over_statement(word)
            return None
        names = []
        while word == b"DEF":
            self.count_part(at)
            names.append(self.name("a name after DEF"))
            word, at = self.take("a node")
            for _ in range(_LONGEST_NAME):  # a name of several words, as some write
                if self.peek() == b"{" or word in _BEGIN_NODES or word in b'{}[]"':
                    break
                word, at = self.take("a node")
        if word == b"NULL":
            return None
        if word == b"USE":
            self.count_part(at)
            name = self.name("a name after USE")
            node = self.named.get(name) or Node(b"USE " + name, at)
        else:
            node = self.node(word, at, depth)
        self.named |= dict.fromkeys(names, node)
        return node

    def name(self, expected: str) -> bytes:
        word, at = self.take(expected)
        if word == b'"':  # which no name should have
            self.position = self.text.find(b'"', self.position) + 1
            return self.data[at + 1:self.position - 1]
        return word

    def pass_over_statement(self, word: bytes) -> None:
        """ROUTE a.b TO c.d, PROTO name [ ] { } or EXTERNPROTO name [ ] url: moves no vertex, has no face of its own."""
        self.take(f"the rest of a {word.decode()}")
        if word == b"ROUTE":
            self.take("the rest of a ROUTE")
            self.take("the rest of a ROUTE")
            return
        for opening in (b"[", b"{") if word == b"PROTO" else (b"[",):
            bracket, at = self.take(f"{opening.decode()} of {word.decode()}")
            if bracket != opening:
                raise self.error(at, f"{opening.decode()} of {word.decode()}", repr(bracket.decode("latin-1")))
            self.pass_brackets(at)
        self.prototypes += 1
        if word == b"EXTERNPROTO":
            self.pass_value(b"url", 0)

    def node(self, word: bytes, at: int, depth: int) -> Node:
        kind = word.decode("latin-1")
        if not word[:1].isalpha() and word[:1] != b"_":
            raise self.error(at, "a node", repr(kind))
        if depth > _DEEPEST:
            raise self.error(at, f"nodes at most {_DEEPEST} deep", "deeper ones")
        self.count_part(at)
        node = Node(word, at)
        brace, start = self.take(f"{{ after {kind}")
        if brace != b"{":
            raise self.error(start, f"{{ after {kind}", repr(brace.decode("latin-1")))
        wanted = _FIELDS.get(word)
        if wanted is not None:
            self.fields(node, wanted, depth)
            return node
        self.pass_brackets(start)
        end = self.position
        has_shape = self.text.find(b"Shape", start, end) >= 0
        if word not in _OPAQUE and (has_shape or self.text.find(b"DEF", start, end) >= 0):
            self.position = start + 1
            try:
                self.fields(node, None, depth)
            except ValueError:
                if has_shape:
                    raise
                self.position = end  # whatever it is, it is no face
        return node

    def fields(self, node: Node, wanted: tuple[bytes, ...] | None, depth: int) -> None:
        """Reads the fields of a node up to its end, those that are wanted or all."""
        kind = node.kind.decode("latin-1")
        while True:
            name, at = self.take(f"}} of {kind}")
            if name == b"}":
                return
            if not name[:1].isalpha() and name[:1] != b"_":
                raise self.error(at, f"a field of {kind}", repr(name.decode("latin-1")))
            self.count_part(at)
            if wanted is not None and name not in wanted:
                self.pass_value(name, depth)
                continue
            if name in node.fields and wanted is not None:
                raise self.error(at, f"one {name.decode()} in {kind}", "a second one")
            node.fields[name] = self.value(name, depth)

    def count_part(self, at: int) -> None:
        self.parts += 1
        if self.parts > MOST:
            raise self.error(at, f"at most {MOST} nodes, routes and fields", "more of them")

    def value(self, name: bytes, depth: int) -> Span | Node | list[Node] | None:
        word, at = self.take(f"a value of {name.decode('latin-1')}")
        if word != b"[":
            self.position = at
            return self.plain_value(depth)
        first = self.peek()
        if name in _LISTS_OF_NUMBERS or first is None or not first[:1].isalpha():
            end = self.text.find(b"]", self.position)
            if end < 0:
                raise self.error(at, f"a ] that closes {name.decode('latin-1')} [", "none: truncated?")
            span = (self.position, end)
            self.position = end + 1
            return span
        nodes = []
        while self.peek() != b"]":
            nodes.append(self.statement(depth + 1))
        self.position = self.text.find(b"]", self.position) + 1
        return [node for node in nodes if node is not None]

    def plain_value(self, depth: int, *, known: bool = True) -> Span | Node | None:
        """A string, numbers, TRUE, FALSE or a node; of what nobody knows, any other word."""
        word, at = self.take("a value")
        if word == b'"':
            self.position = self.text.find(b'"', self.position) + 1
        elif plain := _NUMBERS.match(self.text, at):
            self.position = plain.end()
        elif word not in (b"TRUE", b"FALSE") and (known or word in _BEGIN_NODES or self.peek() == b"{"):
            self.position = at
            return self.statement(depth + 1)
        return at, self.position

    def pass_value(self, name: bytes, depth: int) -> None:
        """Goes behind a value that nobody needs; a node in it may have a name that is used later."""
        word, at = self.take(f"a value of {name.decode('latin-1')}")
        if word == b"[":
            self.pass_brackets(at)
        elif word == b"IS":
            self.take("a name after IS")
        else:
            self.position = at
            self.plain_value(depth, known=False)
