"""Held-out documents: a share that is never trained on, half of it for validation, half for testing."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.arrow import list_rows
from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.files import locked
from get_tags_train.core.home import held_out_path, locks_dir
from get_tags_train.core.i18n import _
from get_tags_train.core.tables import read_columns
from get_tags_train.data.near_duplicates import find_near_duplicates, group_documents, group_texts
from get_tags_train.data.prepared import PreparedData
from get_tags_train.text.shingles import CHARACTERS, shingle

MOST = 2000
# As held_out.csv spells them: select is validation, report is test, reserve is kept for the test samples.
Part = Literal["select", "report", "reserve"]
_PARTS: tuple[Part, ...] = ("select", "report", "reserve")
_COLUMNS = ("id", "part", "since", "data", "text")
_KEY = b"get-tags held out"
_LOCK_SECONDS = 600.0
_FEWEST_NEWEST = 20


class HeldOut(NamedTuple):
    """What of prepared data is held out, and what is left out beside it: masks, (documents,) each.

    `validation` chooses epochs and thresholds, `test` is scored at the end, `reserved` is kept for the test samples;
    `near_duplicates` are documents nearly the same as any that was ever held out.
    """

    validation: NDArray[np.bool_]
    test: NDArray[np.bool_]
    reserved: NDArray[np.bool_]
    near_duplicates: NDArray[np.bool_]

    @property
    def left_out(self) -> NDArray[np.bool_]:
        """Which documents may not be trained on."""
        return self.validation | self.test | self.reserved | self.near_duplicates


class _Listed(NamedTuple):
    """What held_out.csv says: its rows, and the part and the text's beginning by document id."""

    rows: list[list[str]]
    parts: dict[str, str]
    beginnings: dict[str, str]


def hold_out(home: Path, data: PreparedData, share: float, taken: NDArray[np.bool_]) -> HeldOut:
    """The documents that are held out: those of held_out.csv, and new ones until they are this share of the data.

    `taken` are in the test samples: they are neither chosen nor counted. Whole groups of near-duplicates are chosen, by
    a keyed hash of their first document's id. Share 0 gives no validation and no test documents; what was held out
    before is still not trained on. Raises InputError where held_out.csv cannot be read.
    """
    wanted = min(int(share * data.manifest.documents_kept), MOST)
    with _locked(home):
        listed = _read(home)
        places, near_duplicates = _find(listed, data)
        missing = wanted - sum(1 for place in places.values() if not taken[place])
        if missing > 0:
            chosen = _choose(data, _barred(places, near_duplicates, taken), missing)
            _add(home, listed, data, _halved(data, chosen, Counter(listed.parts.values())))
            listed = _read(home)
            places, near_duplicates = _find(listed, data)
    masks: dict[str, NDArray[np.bool_]] = {part: np.zeros(len(taken), bool) for part in _PARTS}
    for document_id, place in places.items():
        masks[listed.parts[document_id] if share and not taken[place] else "reserve"][place] = True
    return HeldOut(masks["select"], masks["report"], masks["reserve"], near_duplicates)


def reserve(home: Path, data: PreparedData, count: int, taken: NDArray[np.bool_]) -> None:
    """Hold out `count` more documents, or as many as there are, for the test samples."""
    with _locked(home):
        listed = _read(home)
        chosen = _choose(data, _barred(*_find(listed, data), taken), count)
        _add(home, listed, data, dict.fromkeys(chosen.tolist(), "reserve"))


def held_out_in(home: Path, data: PreparedData) -> dict[int, str]:
    """The part of each document of the data that held_out.csv lists, by its place."""
    listed = _read(home)
    return {place: listed.parts[document_id] for document_id, place in _places(listed, data).items()}


def newest_of(data: PreparedData, test: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The test documents that are in the newest tenth of all that have a date: (documents,).

    None where they are fewer than 20: too few to measure anything.
    """
    dates = data.dates()
    dated = np.sort(dates[~np.isnat(dates)])
    if not len(dated):
        return None
    newest: NDArray[np.bool_] = test & (dates >= dated[len(dated) * 9 // 10])
    return newest if newest.sum() >= _FEWEST_NEWEST else None


def texts_and_labels(data: PreparedData, wanted: NDArray[np.bool_]) -> tuple[list[str], list[list[str]]]:
    """The texts of these few documents and their tags of today, in stored order."""
    texts, labels = list[str](), list[list[str]]()
    for first, batch in data.numbered_batches():
        here = batch.filter(pa.array(wanted[first : first + len(batch)]))
        texts += here.column("text").to_pylist()
        labels += [[data.tags[tag] for tag in row] for row in list_rows(here.column("tags"))]
    return texts, labels


def _locked(home: Path) -> AbstractContextManager[None]:
    busy = GetTagsError(_("Another run is choosing documents to hold out."), _("Try again when it is done."))
    return locked(locks_dir(home) / "held_out.lock", lambda: busy, timeout_seconds=_LOCK_SECONDS)


def _read(home: Path) -> _Listed:
    path = held_out_path(home)
    found = read_columns(path, _COLUMNS) if path.exists() else []
    if wrong := [row for row in found if row.cells[1] not in _PARTS]:
        raise InputError(
            _(
                "{path}, line {line}: {cells!r} is not a part of the held-out documents.",
                path=path,
                line=wrong[0].line,
                cells=wrong[0].cells[1],
            ),
            _("It is one of {parts}.", parts=", ".join(_PARTS)),
        )
    rows = [row.cells for row in found]
    return _Listed(rows, {row[0]: row[1] for row in rows}, {row[0]: row[4] for row in rows})


def _add(home: Path, listed: _Listed, data: PreparedData, parts: Mapping[int, str]) -> None:
    """Append documents, by their place, to held_out.csv."""
    since, added = date.today().isoformat(), []
    for place, document_id, text in _documents(data, np.array(sorted(parts), np.int64)):
        added.append([document_id, parts[place], since, data.name, text])
    if added:
        write_csv(held_out_path(home), [_COLUMNS, *listed.rows, *added])


def _find(listed: _Listed, data: PreparedData) -> tuple[dict[str, int], NDArray[np.bool_]]:
    """Where the listed documents are in the data, by id, and which others are their near-duplicates."""
    places = _places(listed, data)
    today = (text for _, _, text in _documents(data, np.array(sorted(places.values()), np.int64)))
    texts = list(dict.fromkeys([*listed.beginnings.values(), *today]))  # as they were held out, and as they are now
    near_duplicates = np.zeros(data.manifest.documents_kept, bool)
    near_duplicates[find_near_duplicates(shingle(texts), data).documents] = True
    near_duplicates[list(places.values())] = False
    return places, near_duplicates


def _places(listed: _Listed, data: PreparedData) -> dict[str, int]:
    places: dict[str, int] = {}
    for first, batch in data.numbered_batches() if listed.parts else ():
        ids = batch.column("id").cast(pa.string()).to_pylist()
        places |= {own: first + row for row, own in enumerate(ids) if own in listed.parts}
    return places


def _documents(data: PreparedData, places: NDArray[np.int64]) -> Iterator[tuple[int, str, str]]:
    """(place, id as text, beginning of the text) of the documents at these places, in order."""
    for first, batch in data.numbered_batches():
        here = places[np.searchsorted(places, first) : np.searchsorted(places, first + len(batch))]
        rows = batch.take(pa.array(here - first))
        ids = rows.column("id").cast(pa.string()).to_pylist()
        for place, document_id, text in zip(here.tolist(), ids, rows.column("text").to_pylist(), strict=True):
            yield place, document_id, text[:CHARACTERS]


def _barred(
    places: Mapping[str, int], near_duplicates: NDArray[np.bool_], taken: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Documents that are not chosen: held out already, near-duplicates of such, or in the test samples."""
    barred = near_duplicates | taken
    barred[list(places.values())] = True
    return barred


def _choose(data: PreparedData, barred: NDArray[np.bool_], wanted: int) -> NDArray[np.int64]:
    """Places of at most `wanted` documents, in whole groups of near-duplicates that hold no barred document.

    A group of more than a tenth of them (and more than 5) is passed over: one family of boilerplate would dominate
    the scores, and the whole family would be missing in training.
    """
    groups = group_documents(data)
    sizes = np.bincount(groups, minlength=len(groups))
    sizes[groups[barred]] = 0
    candidates = np.flatnonzero((sizes > 0) & (sizes <= max(5, wanted // 10)))
    chosen, total = [], 0
    for group in candidates[np.argsort(ranks(data)[candidates])].tolist():
        if total + sizes[group] <= wanted:
            chosen.append(group)
            total += int(sizes[group])
        if total == wanted:
            break
    return np.flatnonzero(np.isin(groups, chosen))


def ranks(data: PreparedData) -> NDArray[np.uint64]:
    """A keyed hash of each document's id: a random order that is the same in every run and home."""
    ranks = np.zeros(data.manifest.documents_kept, np.uint64)
    for first, batch in data.numbered_batches():
        ids = batch.column("id").cast(pa.string()).to_pylist()
        digests = b"".join(hashlib.blake2b(own.encode(), digest_size=8, key=_KEY).digest() for own in ids)
        ranks[first : first + len(ids)] = np.frombuffer(digests, np.uint64)
    return ranks


def _halved(data: PreparedData, chosen: NDArray[np.int64], counts: Counter[str]) -> dict[int, str]:
    """The part of each chosen document: near-duplicates together, each group to the part that has fewer."""
    groups = group_texts(shingle([text for _, _, text in _documents(data, chosen)]))
    parts: dict[int, str] = {}
    for group in np.unique(groups):
        members = chosen[groups == group]
        part = min(("report", "select"), key=counts.__getitem__)
        counts[part] += len(members)
        parts |= dict.fromkeys(members.tolist(), part)
    return parts
