"""The test samples: texts with their true tags, never part of training; and where each of them came from."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from get_tags_train.core.csv import Dialect, Row, csv_text, write_csv
from get_tags_train.core.encoding import read_text
from get_tags_train.core.errors import InputError
from get_tags_train.core.excel import is_workbook
from get_tags_train.core.files import atomic_write, file_sha256
from get_tags_train.core.i18n import Command, _
from get_tags_train.core.tables import Table, open_table, read_columns, read_rows
from get_tags_train.text.clean import CEDILLA_TO_COMMA, clean_text, text_hash
from get_tags_train.text.tags import parse_labels

FEW = 100
# Of those that get-tags added: the random part, which stands for all documents, the part chosen for its rare tags, and
# documents that people judged, because two models differed on them.
Part = Literal["random", "rare", "judged"]
_ORIGIN_COLUMNS = ("text_hash", "id", "part", "since")


class Origin(NamedTuple):
    """Where an example came from: the id of the document that it was, in which part, since when (ISO date)."""

    document_id: str
    part: str
    since: str


@dataclass(frozen=True)
class Samples:
    """Clean texts, and as they stand in the file, with normalised true tags; `sha256` is the file's.

    `lines` are those of the file, `origins` None for an example that people wrote themselves.
    """

    path: Path
    sha256: str
    texts: list[str]
    labels: list[list[str]]
    raw_texts: list[str]
    lines: list[int]
    origins: list[Origin | None]

    @classmethod
    def read(cls, path: Path, tags_map: Mapping[str, str] | None = None) -> "Samples":
        """Read the file, its labels renamed as the documents' tags are (an empty name drops one).

        Raises InputError where it is absent, empty or unreadable.
        """
        rows = read_samples(path)
        renamed = [[(tags_map or {}).get(label, label) for label in labels] for _, _, labels in rows]
        texts = [clean_text(text) for _, text, _ in rows]
        origins = read_origins(path)
        return cls(
            path=path,
            sha256=file_sha256(path),
            texts=texts,
            labels=[list(dict.fromkeys(filter(None, labels))) for labels in renamed],
            raw_texts=[text for _, text, _ in rows],
            lines=[line for line, _, _ in rows],
            origins=[origins.get(text_hash(text).hex()) for text in texts],
        )

    @classmethod
    def read_if_there(cls, path: Path, tags_map: Mapping[str, str] | None = None) -> "Samples":
        """As `read`, but without examples where there is no file yet."""
        return cls.read(path, tags_map) if path.exists() else cls(path, "", [], [], [], [], [])

    def of_part(self, *parts: Part | None) -> "Samples":
        """Only the examples of these parts; None are those that people wrote themselves."""
        own = [origin.part if origin else None for origin in self.origins]
        kept = [n for n, part in enumerate(own) if part in parts]
        return replace(
            self,
            texts=[self.texts[n] for n in kept],
            labels=[self.labels[n] for n in kept],
            raw_texts=[self.raw_texts[n] for n in kept],
            lines=[self.lines[n] for n in kept],
            origins=[self.origins[n] for n in kept],
        )


def origins_path(path: Path) -> Path:
    """The small file beside the test samples that says where each added example came from."""
    return path.with_name(f"{path.stem}_origins.csv")


def read_origins(path: Path) -> dict[str, Origin]:
    """Where the examples of the file `path` that get-tags added came from, by the hash of their clean text.

    Raises InputError where the small file is there and cannot be read.
    """
    origins = origins_path(path)
    if not origins.exists():
        return {}
    return {cells[0]: Origin(*cells[1:]) for _, cells in read_columns(origins, _ORIGIN_COLUMNS)}


def add_origins(path: Path, added: Iterable[tuple[str, str, Part]]) -> None:
    """Note (clean text, document id, part) of the examples that are being added to the file `path`."""
    today = date.today().isoformat()
    origins = read_origins(path) | {
        text_hash(text).hex(): Origin(document_id, part, today) for text, document_id, part in added
    }
    write_csv(origins_path(path), [_ORIGIN_COLUMNS, *((key, *origin) for key, origin in origins.items())])


TEXT_HEADERS = {"text", "texts", "document", "content"}
_LABEL_HEADERS = {"labels", "label", "tags", "tag", "label-uri", "etichete", "taguri"}
_COMMA_TO_CEDILLA = {ord(comma): cedilla for cedilla, comma in CEDILLA_TO_COMMA.items()}


def read_samples(path: Path) -> list[tuple[int, str, list[str]]]:
    """(line, text, labels) of each record of a table with the columns text and labels. Raises InputError."""
    table, rows, text_at = _open(path)
    samples = []
    for row in rows:
        text = table.text(row, text_at)
        if not text.strip():
            raise InputError(
                _("{path}, line {line}: the text is empty.", path=path, line=row.line),
                _("Fill it in or delete the row."),
            )
        try:
            labels = parse_labels(table.word(row, 1 - text_at))
        except ValueError as error:
            raise InputError(
                _("{path}, line {line}: the labels cannot be read: {error}.", path=path, line=row.line, error=error),
                _('Write labels as a;b or a|b, or as a list: ["a", "b"].'),
            ) from error
        samples.append((row.line, str(text), labels))
    if not samples:
        raise InputError(
            _("{path} has no examples in it.", path=path), _("It should have two columns, text and labels.")
        )
    return samples


def sample_encoding(path: Path) -> str:
    """The codec in which examples are added to a file of samples. Raises InputError where none can be added."""
    if not path.exists():
        if is_workbook(path):
            raise _no_adding_to_a_workbook(path)
        return "utf-8"
    return _dialect(path, _open(path)[0]).encoding


def append_samples(path: Path, examples: Iterable[tuple[str, Sequence[str]]]) -> Path | None:
    """Add (text, labels) rows to a CSV file of samples, written as its own are; returns the copy of the old file.

    The old bytes stay as they are; where there is no file yet, one is made, and there is no copy. Raises InputError
    where the file cannot be read, or is a workbook.
    """
    if not path.exists():
        write_csv(path, [("text", "labels"), *((text, _label_cell(labels, ";")) for text, labels in examples)])
        return None
    table, rows, text_at = _open(path)
    dialect, list_style = _dialect(path, table), _list_style(rows, 1 - text_at)
    raw, text = path.read_bytes(), read_text(path)
    line_end = "\r\n" if "\r\n" in text else "\n"
    added = [
        (example.replace("\n", line_end), _label_cell(labels, list_style))[:: -1 if text_at else 1]
        for example, labels in examples
    ]
    gap = "" if text.endswith(("\n", "\r")) else line_end
    written = gap + as_written(csv_text(added, dialect.delimiter, line_end), dialect.encoding)
    backup = path.with_name(f"{path.stem}_{datetime.now():%Y%m%d-%H%M%S}{path.suffix}")
    for target, content in ((backup, raw), (path, raw + written.encode(dialect.encoding))):
        with atomic_write(target) as stream:
            stream.write(content)
    return backup


def as_written(text: str, encoding: str) -> str:
    """The text in letters that the encoding has: cp1250 knows ş and ţ with a cedilla only.

    Raises UnicodeEncodeError where a letter is left that it does not have.
    """
    if encoding == "cp1250":
        text = text.translate(_COMMA_TO_CEDILLA)
    text.encode(encoding)
    return text


def _open(path: Path) -> tuple[Table, list[Row], int]:
    """The table, its rows, and which of the two columns holds the text. Raises InputError."""
    hint = _(
        "It holds examples to score the model by, in two columns, text and labels: write it, have it made of held-out "
        "documents ({add}), or name another as samples under [evaluation].",
        add=Command("samples", "add"),
    )
    table = open_table(path, TEXT_HEADERS | _LABEL_HEADERS, width=2, if_missing=hint)
    rows = read_rows(table, _("text and labels"))
    if table.header and len(TEXT_HEADERS.intersection(table.header)) != 1:
        raise InputError(
            _("{path}: its columns are called {names}.", path=path, names=", ".join(table.header)),
            _("Call them text and labels."),
        )
    return table, rows, int(bool(table.header) and table.header[1] in TEXT_HEADERS)


def _dialect(path: Path, table: Table) -> Dialect:
    if table.dialect is None:
        raise _no_adding_to_a_workbook(path)
    return table.dialect


def _no_adding_to_a_workbook(path: Path) -> InputError:
    return InputError(
        _("Examples cannot be added to a workbook: {path}.", path=path),
        _("Save it in Excel as CSV UTF-8, and name that file as samples under [evaluation]."),
    )


def _list_style(rows: Sequence[Row], labels_at: int) -> str:
    """How the file writes several labels: with ; or |, or [ for a JSON list."""
    cells = [row.cells[labels_at].strip() for row in rows]
    return "[" if any(c.startswith("[") for c in cells) else "|" if any("|" in c for c in cells) else ";"


def _label_cell(labels: Sequence[str], style: str) -> str:
    ambiguous = any(mark in label for label in labels for mark in ";|") or labels[0][0] in "[{("
    return json.dumps(list(labels), ensure_ascii=False) if style == "[" or ambiguous else style.join(labels)
