"""The operator's own lists: document ids, and the map that renames tags."""

import re
from pathlib import Path

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _
from get_tags_train.core.tables import Table, first_rows, open_table, read_rows
from get_tags_train.text.clean import INVISIBLE
from get_tags_train.text.tags import normalise_tag

ID_HEADERS = {"id", "ids", "doc_id", "document_id", "documentid", "docid", "id_document", "iddocument"}
_INTEGER = re.compile(r"[+-]?\d+")
# What Excel makes of 12 and of 123456789012; codes such as 1.2 and 1E5 are none of these.
_DECIMAL, _WHOLE = re.compile(r"[+-]?\d+[.,]\d+"), re.compile(r"([+-]?\d+)[.,]0+")
_ROUNDED = re.compile(r"[+-]?\d([.,]\d+)?[eE][+-]\d+")
_INVISIBLE = re.compile(f"[{INVISIBLE}]")


def read_ids(path: Path) -> list[str]:
    """The ids of a table of one column, in order, as text; header and blank rows left out.

    12.0 is the id 12 where no number of the file has other decimals. Raises InputError, also for an id that Excel has
    changed for good.
    """
    hint = _("It holds the ids of the documents to train on, one a line: write it, or name another with --ids FILE.")
    table = open_table(path, ID_HEADERS, width=1, if_missing=hint)
    rows = list(table)
    if wide := [row for row in rows if len(row.cells) > 1 and not _is_decimal(table, row.cells)]:
        raise InputError(
            _("{path} has more than one column. {shown}", path=path, shown=first_rows(wide)),
            _("It should be one column of document ids."),
        )
    ids = [_INVISIBLE.sub("", table.word(row, 0)).strip() for row in rows]
    if rounded := [row for row, own in zip(rows, ids, strict=True) if _ROUNDED.fullmatch(own)]:
        raise InputError(
            _("{path}: Excel has rounded ids. {shown}", path=path, shown=first_rows(rounded)),
            _("Their digits are lost: export the ids again, and format the column as text before you paste them."),
        )
    only_numbers_follow = len(ids) > 1 and all(map(_INTEGER.fullmatch, ids[1:]))
    if not table.header and only_numbers_follow and not _INTEGER.fullmatch(ids[0]):
        ids = ids[1:]
    ids = _without_decimals([own for own in ids if own])
    if not ids:
        raise InputError(
            _("{path} has no document id in it. {shown}", path=path, shown=first_rows(rows)),
            _("It should be one column of document ids."),
        )
    return ids


def _is_decimal(table: Table, cells: list[str]) -> bool:
    """Whether the comma below a header of one column is that of 12,0."""
    return bool(table.header) and _WHOLE.fullmatch(",".join(cells)) is not None


def _without_decimals(ids: list[str]) -> list[str]:
    decimals = [own for own in ids if _DECIMAL.fullmatch(own)]
    if not all(map(_WHOLE.fullmatch, decimals)):
        return ids
    return [_WHOLE.sub(r"\1", own) if _WHOLE.fullmatch(own) else own for own in ids]


def read_tags_map(path: Path) -> dict[str, str]:
    """What each tag of a table with the columns tag and becomes turns into, chains followed; '' drops the tag.

    The file may be a workbook with the same name and .xlsx instead; no file is an empty map. Raises InputError naming
    the line of a cycle or of a tag that stands there twice.
    """
    found = [candidate for candidate in dict.fromkeys((path, path.with_suffix(".xlsx"))) if candidate.exists()]
    if not found:
        return {}
    if len(found) > 1:
        raise InputError(
            _("There are two maps of tags: {names}.", names=", ".join(map(str, found))), _("Keep the one that counts.")
        )
    path = found[0]
    table = open_table(path, {"tag", "becomes"}, width=2)
    rows = read_rows(table, _("tag and becomes"))
    places = [table.place("tag"), table.place("becomes")] if table.header else [0, 1]
    becomes: dict[str, str] = {}
    lines: dict[str, int] = {}
    for row in rows:
        tag, target = (normalise_tag(table.word(row, place)) for place in places)
        if not tag or becomes.get(tag, target) != target:
            wrong = (
                _("{tag} is also on line {lines}, where it becomes something else", tag=tag, lines=lines[tag])
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
    return _followed(becomes, lines, path)


def _followed(becomes: dict[str, str], lines: dict[str, int], path: Path) -> dict[str, str]:
    """The map with each chain replaced by its end. Raises InputError naming the line of one that has none."""
    for tag in becomes:
        chain = [tag]
        while (target := becomes[chain[-1]]) in becomes:
            if target in chain:
                cycle = " -> ".join([*chain[chain.index(target) :], target])
                raise InputError(
                    _("{path}, line {lines}: {cycle} has no end.", path=path, lines=lines[tag], cycle=cycle),
                    _("Remove one of these lines."),
                )
            chain.append(target)
        becomes[tag] = target
    return becomes
