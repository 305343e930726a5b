"""Texts to name tags for: one, or a file of them read as a stream, its form checked before the work begins."""

import codecs
import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, get_args

from get_tags_train.core.csv import DELIMITERS, MOST_CELL_CHARACTERS, of_cell, read_text
from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _
from get_tags_train.data.input_files import ID_HEADERS
from get_tags_train.splits.test_samples import TEXT_HEADERS

Format = Literal["txt", "csv", "jsonl"]
_CHUNK_BYTES = 1 << 20


class Text(NamedTuple):
    """A text and the id by which its tags are told from others': the file's own, or its number from 1 on."""

    id: str
    text: str


class Texts:
    """Texts that can be gone through again and again; `len` says how many."""

    def __init__(self, one: str) -> None:
        """Of one text. Raises InputError where it is blank."""
        if not one.strip():
            raise InputError(
                _("There is no text."), _("Give it as an argument, with --file, or through standard input.")
            )
        self._texts: Iterable[Text] = [Text("1", one)]
        self._count = 1

    @classmethod
    def of_file(
        cls, path: Path, *, name: str = "", format: Format | None = None, columns: Sequence[str] = ()
    ) -> "Texts":
        """Of a file, gone through once to find what is wrong with it before hours of work; `name` is for messages.

        format: what the file holds, where its ending does not say. columns: those that hold the text, joined by new
        lines; default one called text. Raises InputError naming the line.
        """
        name = name or str(path)
        ending = path.suffix.lower().removeprefix(".")
        kind = format or (ending if ending in get_args(Format) else "txt")
        if columns and kind == "txt":
            raise InputError(
                _("--column was given, and {name} is plain text.", name=name), _("Add --input-format csv or jsonl.")
            )
        if kind == "txt":
            return cls(read_text(path))
        encoding = _encoding(path, name)
        texts = cls.__new__(cls)
        texts._texts = (
            _open_csv(path, name, encoding, columns) if kind == "csv" else _Lines(path, name, encoding, columns)
        )
        texts._count = sum(1 for _ in texts._texts)
        if not texts._count:
            raise InputError(_("{name} has no texts in it.", name=name), _("Check that it is the file you mean."))
        return texts

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Text]:
        return iter(self._texts)


@dataclass(frozen=True)
class _Rows:
    """The texts of a CSV file with a header, record by record."""

    path: Path
    name: str
    encoding: str
    delimiter: str
    text_at: list[int]
    id_at: int | None
    width: int

    def __iter__(self) -> Iterator[Text]:
        with self.path.open(encoding=self.encoding, newline="") as stream:
            reader = csv.reader(stream, delimiter=self.delimiter)
            next(reader)
            line, number = reader.line_num + 1, 0
            for cells in _records(reader, self.name):
                if any(map(str.strip, cells)):
                    if len(cells) != self.width:
                        raise InputError(
                            _(
                                "{name}, line {line}: {count} cells, and the header has {width}.",
                                name=self.name,
                                line=line,
                                count=len(cells),
                                width=self.width,
                            ),
                            _("Put a text that contains the delimiter in double quotes, as Excel does."),
                        )
                    number += 1
                    own = str(number) if self.id_at is None else of_cell(cells[self.id_at].strip())
                    yield Text(own, "\n".join(filter(None, (of_cell(cells[at]) for at in self.text_at))))
                line = reader.line_num + 1


@dataclass(frozen=True)
class _Lines:
    """The texts of a JSON lines file: a JSON text, or an object with the text under a name, on each line."""

    path: Path
    name: str
    encoding: str
    columns: Sequence[str]

    def __iter__(self) -> Iterator[Text]:
        with self.path.open(encoding=self.encoding, newline="\n") as stream:  # JSON may hold other line ends
            number = 0
            for line, content in enumerate(stream, start=1):
                if content.strip():
                    number += 1
                    yield self._parse(content, line, number)

    def _parse(self, content: str, line: int, number: int) -> Text:
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InputError(
                _("{name}, line {line} is no JSON: {error}.", name=self.name, line=line, error=error),
                _('Write {"text": "..."}.'),
            ) from error
        if isinstance(value, str) and not self.columns:
            return Text(str(number), value)
        if not isinstance(value, dict):
            raise InputError(
                _("{name}, line {line} is no JSON object.", name=self.name, line=line), _('Write {"text": "..."}.')
            )
        wanted = self.columns or [next((key for key in value if key.lower() in TEXT_HEADERS), "text")]
        parts = [value.get(key) for key in wanted]
        if absent := [key for key, part in zip(wanted, parts, strict=True) if not isinstance(part, str | None)]:
            raise InputError(
                _("{name}, line {line}: {absent} is no text.", name=self.name, line=line, absent=absent[0]),
                _hint(value),
            )
        if all(key not in value for key in wanted):
            raise InputError(
                _("{name}, line {line} has no {wanted}.", name=self.name, line=line, wanted=wanted[0]), _hint(value)
            )
        own = next((value[key] for key in value if key.lower() in ID_HEADERS), number)
        return Text(str(own), "\n".join(part for part in parts if part))


def _records(reader: Any, name: str) -> Iterator[list[str]]:
    """The records of a csv.reader. Raises InputError where its quotes do not close."""
    try:
        yield from reader
    except csv.Error as error:
        raise InputError(
            _("{name}, line {line}: {reason}.", name=name, line=reader.line_num, reason=error),
            _("Check the quotes before that line."),
        ) from error


def _open_csv(path: Path, name: str, encoding: str, columns: Sequence[str]) -> _Rows:
    """The file with the delimiter that parts its header best, and where in a record id and text stand."""
    headers: list[tuple[int, list[str], str]] = []
    for delimiter in DELIMITERS:
        with path.open(encoding=encoding, newline="") as stream:
            first = next(_records(csv.reader(stream, delimiter=delimiter), name), [])
            header = [cell.strip() for cell in first]
        headers.append((len(header), header, delimiter))
    width, header, delimiter = max(headers, key=lambda candidate: candidate[0])
    lower = [cell.lower() for cell in header]
    wanted = [column.strip().lower() for column in columns] or [c for c in lower if c in TEXT_HEADERS][:1] or ["text"]
    if absent := [column for column in wanted if column not in lower]:
        raise InputError(_("{name} has no column {absent}.", name=name, absent=absent[0]), _hint(header))
    text_at = [lower.index(column) for column in wanted]
    id_at = next((at for at, cell in enumerate(lower) if cell in ID_HEADERS and at not in text_at), None)
    return _Rows(path, name, encoding, delimiter, text_at, id_at, width)


def _hint(names: Iterable[str]) -> str:
    return _("Name the one with the text: --column NAME. There are: {names}.", names=", ".join(names) or "none")


def _chunks(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """A file piece by piece. Raises InputError where a line is so long that it would fill the memory."""
    length, line = 0, 1
    while chunk := stream.read(_CHUNK_BYTES):
        if (last := chunk.rfind(b"\n")) >= 0:
            length, line = len(chunk) - last, line + chunk.count(b"\n")
        else:
            length += len(chunk)
        if length > MOST_CELL_CHARACTERS:
            raise InputError(
                _(
                    "{name}, line {line} is longer than {bytes:,} bytes.",
                    name=name,
                    line=line,
                    bytes=MOST_CELL_CHARACTERS,
                ),
                _("Check that it is the file you mean."),
            )
        yield chunk


def _encoding(path: Path, name: str) -> str:
    """UTF-8, UTF-16 with its mark, or cp1250, found by reading the file once, a piece at a time. Raises InputError."""
    try:
        with path.open("rb") as stream:
            start = stream.read(2)
        if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            with path.open("rb") as stream:
                for _chunk in _chunks(stream, name):
                    pass
            return "utf-16"
        for encoding in ("utf-8-sig", "cp1250"):
            decoder = codecs.getincrementaldecoder(encoding)()
            try:
                with path.open("rb") as stream:
                    for chunk in _chunks(stream, name):
                        decoder.decode(chunk)
                    decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                continue
            return encoding
    except FileNotFoundError:
        raise InputError(_("There is no file {name}.", name=name), _("Check its name and folder.")) from None
    except OSError as error:
        raise InputError(
            _("{name} cannot be read: {reason}.", name=name, reason=error.strerror), _("Check the path and its rights.")
        ) from error
    raise InputError(
        _("{name} is not text in UTF-8 or cp1250.", name=name), _("Save it as UTF-8; in Excel: CSV UTF-8.")
    )
