"""Texts to name tags for: one, or a file of them read as a stream, its form checked before the work begins."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from get_tags_train.core.encoding import find_encoding, read_text, whole_characters
from get_tags_train.core.errors import InputError
from get_tags_train.core.excel import ENDINGS, is_workbook
from get_tags_train.core.i18n import _
from get_tags_train.core.tables import Table, open_table
from get_tags_train.data.input_files import ID_HEADERS
from get_tags_train.serving.json_files import json_lines, json_values
from get_tags_train.splits.test_samples import TEXT_HEADERS

Format = Literal["txt", "csv", "xlsx", "json", "jsonl"]
_FORMATS: dict[str, Format] = {
    **{f".{name}": name for name in get_args(Format)},
    **dict.fromkeys(ENDINGS, "xlsx"),
    **dict.fromkeys((".tsv", ".tab"), "csv"),
    **dict.fromkeys(("", ".text", ".md", ".htm", ".html"), "txt"),
    ".ndjson": "jsonl",
}


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
                _("There is no text."),
                _("Give it as an argument (after -- if it begins with a dash), with --file, or as standard input."),
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
        kind = format or _format_of(path, name)
        if kind == "txt":
            if columns:
                raise InputError(
                    _("--column was given, and {name} is plain text.", name=name),
                    _("Add --input-format csv, xlsx, json or jsonl."),
                )
            return cls(read_text(path, name))
        texts = cls.__new__(cls)
        if kind in ("csv", "xlsx"):
            _check_ending(path, name, kind)
            texts._texts = _table_texts(path, name, columns)
        else:
            texts._texts = _JsonTexts(path, name, find_encoding(path, name), kind == "jsonl", columns)
        texts._count = sum(1 for _ in texts._texts)
        if not texts._count:
            raise InputError(_("{name} has no texts in it.", name=name), _("Check that it is the file you mean."))
        return texts

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Text]:
        return iter(self._texts)


@dataclass(frozen=True)
class _TableTexts:
    """The texts of a table with a header, row by row."""

    table: Table
    text_places: list[int]
    id_place: int | None

    def __iter__(self) -> Iterator[Text]:
        table = self.table
        for number, row in enumerate(table, start=1):
            if len(row.cells) != table.width:
                raise InputError(
                    _(
                        "{name}, line {line}: {count} cells, and the header has {width}.",
                        name=table.name,
                        line=row.line,
                        count=len(row.cells),
                        width=table.width,
                    ),
                    _("Put a text that contains the delimiter in double quotes, as Excel does."),
                )
            own = str(number) if self.id_place is None else table.text(row, self.id_place).strip()
            yield Text(own, "\n".join(filter(None, (table.text(row, place) for place in self.text_places))))


@dataclass(frozen=True)
class _JsonTexts:
    """The texts of a JSON file: texts, or objects with the text under a name."""

    path: Path
    name: str
    encoding: str
    is_by_line: bool
    columns: Sequence[str]

    def __iter__(self) -> Iterator[Text]:
        values = (json_lines if self.is_by_line else json_values)(self.path, self.encoding, self.name)
        for number, (line, value) in enumerate(values, start=1):
            own, text = self._text(value, line, number)
            yield Text(whole_characters(own), whole_characters(text))

    def _text(self, value: object, line: int, number: int) -> Text:
        if isinstance(value, str) and not self.columns:
            return Text(str(number), value)
        if not isinstance(value, dict):
            raise InputError(
                _("{name}, line {line} is not a JSON object.", name=self.name, line=line), _('Write {"text": "..."}.')
            )
        wanted = list(self.columns) or [_text_column(list(value), self.name)]
        parts = [value.get(key) for key in wanted]
        if absent := [key for key, part in zip(wanted, parts, strict=True) if not isinstance(part, str | None)]:
            raise InputError(
                _("{name}, line {line}: {absent} is not text.", name=self.name, line=line, absent=absent[0]),
                _hint(value),
            )
        if all(key not in value for key in wanted):
            raise InputError(
                _("{name}, line {line} has no {wanted}.", name=self.name, line=line, wanted=wanted[0]), _hint(value)
            )
        return Text(self._id(value, line, number), "\n".join(part for part in parts if isinstance(part, str) and part))

    def _id(self, value: dict[str, object], line: int, number: int) -> str:
        key = _id_column(list(value))
        own = value[key] if key is not None else number
        if isinstance(own, float) and own.is_integer():
            own = int(own)
        if isinstance(own, bool) or not isinstance(own, str | int | None):
            raise InputError(
                _("{name}, line {line}: {key} is neither text nor a whole number.", name=self.name, line=line, key=key),
                _("Write the id as a text or a whole number."),
            )
        return "" if own is None else str(own)


def _format_of(path: Path, name: str) -> Format:
    ending = path.suffix.lower()
    if ending not in _FORMATS:
        raise InputError(
            _("{name} has the ending {ending}, and such files are not read.", name=name, ending=ending),
            _("Save it as .csv, .xlsx, .jsonl or .txt, or say what it holds: --input-format."),
        )
    return _FORMATS[ending]


def _check_ending(path: Path, name: str, kind: Format) -> None:
    """Refuse a workbook that --input-format says is none, and the other way round."""
    if is_workbook(path) != (kind == "xlsx"):
        raise InputError(
            _("{name}: its ending does not go with --input-format {kind}.", name=name, kind=kind),
            _("Give it the ending of what it is."),
        )


def _table_texts(path: Path, name: str, columns: Sequence[str]) -> _TableTexts:
    """The table, and where in a row id and text stand."""
    wanted = [column.strip().lower() for column in columns]
    table = open_table(path, {*wanted, *TEXT_HEADERS, *ID_HEADERS}, name=name)
    wanted = wanted or [_text_column(table.header, name)]
    if absent := [column for column in wanted if column not in table.header]:
        raise InputError(_("{name} has no column {absent}.", name=name, absent=absent[0]), _hint(table.header))
    text_places = [table.place(column) for column in wanted]
    own = _id_column([column for column in table.header if column not in wanted])
    return _TableTexts(table, text_places, None if own is None else table.place(own))


def _text_column(names: Sequence[str], name: str) -> str:
    """Which of these is the text: the one called so, or the only one with another name for it. Raises InputError."""
    found = [column for column in names if column.lower() in TEXT_HEADERS]
    exact = [column for column in found if column.lower() == "text"]
    if len(exact or found) > 1:
        raise InputError(
            _("{name} has several columns that may be the text: {names}.", name=name, names=", ".join(found)),
            _hint(names),
        )
    return (exact or found or ["text"])[0]


def _id_column(names: Sequence[str]) -> str | None:
    found = [column for column in names if column.lower() in ID_HEADERS]
    return next((column for column in found if column.lower() == "id"), found[0] if found else None)


def _hint(names: Iterable[str]) -> str:
    return _(
        "Name the one with the text: --column NAME. There are: {names}.",
        names=", ".join(filter(None, names)) or _("none"),
    )
