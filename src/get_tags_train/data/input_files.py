"""The operator's own lists: document ids, and the map that renames tags."""

import re
from pathlib import Path

from get_tags_train.core.csv import first_rows, read_text, records, two_columns
from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _
from get_tags_train.text.tags import normalise_tag

ID_HEADERS = {"id", "ids", "doc_id", "document_id", "documentid", "docid", "id_document", "iddocument"}


def read_ids(path: Path) -> list[str]:
    """The ids of a file with one column, in order, as text; header and empty lines left out. Raises InputError."""
    hint = _("It holds the ids of the documents to train on, one a line: write it, or name another with --ids FILE.")
    rows = records(read_text(path, hint), ",")
    wide = [row for row in rows if any(map(str.strip, row.cells[1:])) or re.search(r"[;\t]\s*[^;\s]", row.cells[0])]
    if wide:
        raise InputError(
            _("{path} has more than one column. {shown}", path=path, shown=first_rows(wide)),
            _("It should be one column of document ids."),
        )
    ids = [row.cells[0].strip().rstrip(";\t").strip() for row in rows]
    only_numbers_follow = len(ids) > 1 and all(map(_is_number, ids[1:]))
    if ids and (ids[0].lower() in ID_HEADERS or (only_numbers_follow and not _is_number(ids[0]))):
        ids = ids[1:]
    ids = [i for i in ids if i]
    if not ids:
        raise InputError(
            _("{path} has no document id in it. {shown}", path=path, shown=first_rows(rows)),
            _("It should be one column of document ids."),
        )
    return ids


def read_tags_map(path: Path) -> dict[str, str]:
    """What each tag of a file with the columns tag and becomes turns into, chains followed; '' drops the tag.

    No file is an empty map. Raises InputError naming the line of a cycle or of a tag that stands there twice.
    """
    if not path.exists():
        return {}
    rows = two_columns(path, read_text(path), _("tag and becomes"))[1]
    if rows and [cell.strip().lower() for cell in rows[0].cells] == ["tag", "becomes"]:
        rows = rows[1:]
    becomes: dict[str, str] = {}
    lines: dict[str, int] = {}
    for row in rows:
        tag, target = map(normalise_tag, row.cells)
        if not tag or becomes.get(tag, target) != target:
            wrong = (
                _("{tag} stands on line {lines} too, and becomes something else there", tag=tag, lines=lines[tag])
                if tag
                else _("it has no tag")
            )
            raise InputError(
                _("{path}, line {line}: {wrong}.", path=path, line=row.line, wrong=wrong),
                _("Give each tag one line: tag, becomes."),
            )
        if tag != target:
            becomes[tag] = target
            lines.setdefault(tag, row.line)
    for tag in becomes:
        followed = [tag]
        while (target := becomes[followed[-1]]) in becomes:
            if target in followed:
                cycle = " -> ".join([*followed[followed.index(target) :], target])
                raise InputError(
                    _("{path}, line {lines}: {cycle} has no end.", path=path, lines=lines[tag], cycle=cycle),
                    _("Remove one of these lines."),
                )
            followed.append(target)
        becomes[tag] = target
    return becomes


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", text) is not None
