"""Values of a JSON file, one after the other, in the memory of one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from get_tags_train.core.encoding import MAX_CELL_CHARACTERS, text_chunks, text_lines
from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _

_BLANK = " \t\r\n"


def json_lines(path: Path, encoding: str, name: str) -> Iterator[tuple[int, object]]:
    """(line, value) of a file with one value a line. Raises InputError naming the line that is none."""
    for line, content in enumerate(text_lines(path, encoding, name, newline="\n"), start=1):  # JSON has other line ends
        if content.strip():
            try:
                value = _DECODER.decode(content)
            except (ValueError, RecursionError) as error:
                _refuse(name, line, error)
            yield line, value


def json_values(path: Path, encoding: str, name: str) -> Iterator[tuple[int, object]]:
    """(line, value) of a file that holds one array, or values one after the other. Raises InputError."""
    reader = _Reader(path, encoding, name)
    in_array = reader.skip("[")
    first = True
    while not reader.at_end():
        if in_array and reader.skip("]"):
            break
        if in_array and not first:
            reader.expect(",")
        first = False
        yield reader.value()
    else:
        if in_array:
            _refuse(name, reader.line, _("the array does not end"))
    if not reader.at_end():
        _refuse(name, reader.line, _("something follows the array"))


class _Reader:
    """A JSON text of which only the part that is being read is held."""

    def __init__(self, path: Path, encoding: str, name: str) -> None:
        self._chunks, self._name = text_chunks(path, encoding), name
        self._text, self._place, self.line = "", 0, 1

    def at_end(self) -> bool:
        """Whether nothing but blanks is left; they are passed over."""
        while True:
            start = self._place
            while start < len(self._text) and self._text[start] in _BLANK:
                start += 1
            self._advance(start)
            if start < len(self._text):
                return False
            self._text, self._place = next(self._chunks, ""), 0
            if not self._text:
                return True

    def skip(self, mark: str) -> bool:
        """Whether this character comes next; it is passed over."""
        if self.at_end() or self._text[self._place] != mark:
            return False
        self._advance(self._place + 1)
        return True

    def expect(self, mark: str) -> None:
        """Pass over this character. Raises InputError where another comes next."""
        if not self.skip(mark):
            _refuse(self._name, self.line, _("a comma is missing"))

    def value(self) -> tuple[int, object]:
        """The next value and the line that it begins on. Raises InputError where it is none."""
        self.at_end()
        line, want = self.line, 0
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._place)
                break
            except RecursionError as error:
                _refuse(self._name, line, error)
            except ValueError as error:
                # More of it may follow; twice as much each time, so that a long value is not parsed again and again.
                want = max(2 * want, len(self._text) - self._place + 1)
                if want > MAX_CELL_CHARACTERS or not self._read(want):
                    _refuse(self._name, line, error)
        self._advance(end)
        return line, value

    def _read(self, characters: int) -> bool:
        """Hold at least so many characters from here on; False where there are no more."""
        parts, length = [self._text[self._place :]], len(self._text) - self._place
        before = length
        while length < characters and (more := next(self._chunks, "")):
            parts.append(more)
            length += len(more)
        self._text, self._place = "".join(parts), 0
        return length > before

    def _advance(self, place: int) -> None:
        self.line += self._text.count("\n", self._place, place)
        self._place = place


def _refuse(name: str, line: int, error: object) -> NoReturn:
    raise InputError(
        _("{name}, line {line} is not JSON: {error}.", name=name, line=line, error=error), _('Write {"text": "..."}.')
    )


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [key for key, _value in pairs]
        raise ValueError(_("{key} appears twice in an object", key=max(names, key=names.count)))
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
