"""Take in a marked list: keep its decisions, say how right the audit was, write what to change in the database."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from get_tags_train.core.arrow import list_rows
from get_tags_train.core.csv import write_csv
from get_tags_train.core.files import write_text
from get_tags_train.core.home import reviews_dir
from get_tags_train.core.i18n import _
from get_tags_train.data.decisions import Decision, append_decisions, latest, read_decisions
from get_tags_train.data.prepared import PreparedData
from get_tags_train.review.audit_sheet import Marked, read_sheet
from get_tags_train.review.yield_estimate import Band, Foreseen, foresee_decided, reliability


class Change(NamedTuple):
    """What the database lacks: whether the document gets the tag or loses it; tag_ids: those of the tag there."""

    document_id: int | str
    tag: str
    tag_ids: list[str]
    is_added: bool
    decided: str


@dataclass(frozen=True)
class Imported:
    """What came of a marked list.

    decided, errors, unsure: its new answers, counted; known: those that were there already; unmarked: rows without one.
    foreseen, bands: what the audit said of the decided ones, all together and by probability. changes: all that the
    database still lacks, also from earlier lists; written: where they are, empty where there are none.
    """

    decided: int
    errors: int
    unsure: int
    known: int
    unmarked: int
    foreseen: Foreseen
    bands: list[Band]
    changes: int
    written: list[Path]


def import_marks(home: Path, path: Path, data: PreparedData | None, *, dialect: str) -> Imported:
    """Keep the answers of a marked list in decisions.csv.

    data: the newest, in which the changes are looked up; dialect: SQLAlchemy's name of the database. Raises InputError
    where the list cannot be read; then nothing is kept.
    """
    rows = read_sheet(path)
    now = datetime.now().astimezone()
    marked = [row for row in rows if row.answer is not None]
    earlier = latest(read_decisions(home))
    decisions = list(latest(_decision(row, now, path.name) for row in marked).values())
    new = [d for d in decisions if d.key not in earlier or earlier[d.key].answer != d.answer]
    append_decisions(home, new)
    changes = list(pending(data, read_decisions(home))) if data else []
    stem = reviews_dir(home) / f"changes-{now:%Y%m%d-%H%M%S}"
    return Imported(
        decided=len(new),
        errors=sum(d.answer == "error" for d in new),
        unsure=sum(d.answer == "don't know" for d in new),
        known=len(decisions) - len(new),
        unmarked=len(rows) - len(marked),
        foreseen=foresee_decided(new),
        bands=reliability(new),
        changes=len(changes),
        written=_write(stem, changes, dialect) if changes else [],
    )


def _decision(row: Marked, now: datetime, file: str) -> Decision:
    assert row.answer is not None
    return Decision(
        document_id=row.document_id,
        tag=row.tag,
        suspicion=row.suspicion,
        answer=row.answer,
        probability=row.probability,
        estimate=row.estimate,
        text_hash=row.text_hash,
        decided=now.isoformat(timespec="seconds"),
        file=file,
    )


def pending(data: PreparedData, decisions: Iterable[Decision]) -> Iterator[Change]:
    """The errors found that these data still have; a document whose text has changed is left out."""
    number = {tag: place for place, tag in enumerate(data.tags)}
    by_document: dict[tuple[str, str], list[Decision]] = {}
    for key, decision in latest(decisions).items():
        if decision.answer == "error" and key.tag in number:
            by_document.setdefault((key.document_id, key.text_hash), []).append(decision)
    for batch in data.batches():
        ids, hashes = batch.column("id"), batch.column("text_hash").to_pylist()
        keys = zip(ids.cast(pa.string()).to_pylist(), (own.hex() for own in hashes), strict=True)
        for own, text, tags in zip(ids.to_pylist(), keys, list_rows(batch.column("tags")), strict=True):
            for decision in by_document.get(text, ()):
                place, is_added = number[decision.tag], decision.suspicion == "missing"
                if (place in tags) != is_added:
                    yield Change(own, decision.tag, data.tag_ids[place], is_added, decision.decided)


def _write(stem: Path, changes: Sequence[Change], dialect: str) -> list[Path]:
    """The changes as a table and as SQL; where the last ones are the same, those."""
    text = "\n".join(_sql(changes, dialect)) + "\n"
    last = max(stem.parent.glob("changes-*.sql"), default=None)
    if last and last.with_suffix(".csv").exists() and last.read_bytes() == text.encode():
        return [last.with_suffix(".csv"), last]
    table, script = stem.with_suffix(".csv"), stem.with_suffix(".sql")
    header = ["id", "tag", "tag_id", "change", "decided"]
    rows = [[c.document_id, c.tag, ";".join(c.tag_ids), "add" if c.is_added else "remove", c.decided] for c in changes]
    write_csv(table, [header, *rows])
    write_text(script, text)
    return [table, script]


def _sql(changes: Sequence[Change], dialect: str) -> Iterator[str]:
    """A script for the tables document_tags(document_id, tag_id) and tags(id, name); others put their names in."""
    yield _comment(
        _("Changes to document_tags that people decided on. Read them, put in your tables' names, run them.")
    )
    yield {"mssql": "BEGIN TRANSACTION;", "mysql": "START TRANSACTION;", "mariadb": "START TRANSACTION;"}.get(
        dialect, "BEGIN;"
    )
    for change in changes:
        yield _comment(f"{'+' if change.is_added else '-'} {change.document_id}: {change.tag}")
        try:
            yield _statement(change, dialect)
        except ValueError:
            yield _comment(_("Its letters do not go into a script safely: do it by hand."))
    yield "COMMIT;"


def _statement(change: Change, dialect: str) -> str:
    """One change. Raises ValueError where a value would need escapes that databases write differently."""
    document = _literal(change.document_id, dialect)
    ids = [_literal(int(own) if own.lstrip("-").isdecimal() else own, dialect) for own in change.tag_ids]
    names = f"SELECT id FROM tags WHERE name = {_literal(change.tag, dialect)}" if not ids else ""
    if not change.is_added:
        return f"DELETE FROM document_tags WHERE document_id = {document} AND tag_id IN ({names or ', '.join(ids)});"
    tag = f"({names})" if names else ids[0]
    none = f"SELECT 1 FROM document_tags WHERE document_id = {document} AND tag_id = {tag}"
    dual = " FROM dual" if dialect in ("mysql", "mariadb", "oracle") else ""
    return f"INSERT INTO document_tags (document_id, tag_id) SELECT {document}, {tag}{dual} WHERE NOT EXISTS ({none});"


def _literal(value: int | str, dialect: str) -> str:
    """A value as SQL writes it. Raises ValueError for a backslash, which some databases take for an escape."""
    if isinstance(value, int):
        return str(value)
    if "\\" in value or not value.isprintable():
        raise ValueError(value)
    quoted = "'" + value.replace("'", "''") + "'"
    return f"N{quoted}" if dialect == "mssql" else quoted


def _comment(text: str) -> str:
    """A comment of one line, whatever the text holds."""
    return "-- " + "".join(letter if letter.isprintable() else " " for letter in text)
