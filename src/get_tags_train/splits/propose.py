"""The test samples as a set that grows: what there is to know of it, and new examples from the held-out documents."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from get_tags_train.core.arrow import list_rows
from get_tags_train.data.near_duplicates import group_texts
from get_tags_train.data.prepared import PreparedData
from get_tags_train.splits.held_out import held_out_in, ranks, reserve
from get_tags_train.splits.leaks import Leak
from get_tags_train.splits.test_samples import (
    Part,
    Samples,
    add_origins,
    append_samples,
    as_written,
    sample_encoding,
)
from get_tags_train.text.clean import text_hash
from get_tags_train.text.shingles import shingle

# Excel keeps 32,767 characters of a cell, and what a model reads of a text is far less.
_LONGEST = 32_000
_NORMAL_95 = 1.959964


class Proposal(NamedTuple):
    """A held-out document that may become an example; `part` says why it was chosen."""

    document_id: str
    part: Part
    text: str
    labels: list[str]


@dataclass(frozen=True)
class _Candidate:
    place: int
    document_id: str
    text: str
    tags: list[int]


def describe(samples: Samples, data: PreparedData | None, leaks: Sequence[Leak]) -> dict[str, Any]:
    """What people should know of their test samples; examples are named by the line of the file they begin on.

    `data` are the newest prepared data, if there are any, and `leaks` the documents of these that are also examples.
    """
    own, random, rare, judged = (samples.of_part(part) for part in (None, "random", "rare", "judged"))
    used = {tag for labels in samples.labels for tag in labels}
    known = set(data.tags) if data else used
    unknown: dict[str, list[int]] = defaultdict(list)
    for line, labels in zip(samples.lines, samples.labels, strict=True):
        for tag in labels:
            if tag not in known:
                unknown[tag].append(line)
    headline = len(own.texts) + len(random.texts)
    return {
        "path": str(samples.path),
        "examples": len(samples.texts),
        "written_by_people": len(own.texts),
        "random": len(random.texts),
        "rare": len(rare.texts),
        "judged": len(judged.texts),
        "without_labels": [n for n, labels in zip(samples.lines, samples.labels, strict=True) if not labels],
        "tags": len(used),
        "data": data.name if data else None,
        "data_tags": len(data.tags) if data else None,
        "data_tags_covered": len(used & known) if data else None,
        "unknown_tags": dict(sorted(unknown.items())),
        "duplicates": _duplicates(samples),
        "leaks": [[leak.document_id, samples.lines[leak.example], leak.how, leak.similarity] for leak in leaks],
        "precision_at_1_within": round(_half_width(headline), 4) if headline else None,
    }


def propose(
    home: Path, data: PreparedData, samples: Samples, leaked: NDArray[np.bool_], counts: Mapping[Part, int]
) -> list[Proposal]:
    """So many held-out documents of each part that are not among the samples yet.

    Where too few are held out, more are (which is kept in held_out.csv). Fewer come back where there are no more, or no
    more with tags that the samples lack. A text with letters that the samples' encoding does not have is passed over.
    Raises InputError where the samples are a workbook.
    """
    encoding = sample_encoding(samples.path)
    candidates = list(_candidates(home, data, samples, encoding))
    if (missing := sum(counts.values()) - len(candidates)) > 0:
        reserve(home, data, missing, leaked)
        candidates = list(_candidates(home, data, samples, encoding))
    for_rare = _with_rare_tags(candidates, data, samples, counts["rare"])
    left = [candidate for candidate in candidates if candidate not in for_rare]
    chosen: list[tuple[Part, _Candidate]] = [("random", one) for one in left[: counts["random"]]]
    chosen += [("rare", one) for one in for_rare]
    return [Proposal(one.document_id, part, one.text, [data.tags[tag] for tag in one.tags]) for part, one in chosen]


def new_ones(samples: Samples, proposals: Sequence[Proposal]) -> list[Proposal]:
    """Those of these that are no samples yet and that their file can hold. Raises InputError as `propose` does."""
    encoding = sample_encoding(samples.path)
    known_texts = {text_hash(text) for text in samples.texts}
    shortened = (one._replace(text=_shortened(one.text)) for one in proposals)
    return [one for one in shortened if text_hash(one.text) not in known_texts and _fits(one.text, encoding)]


def add(samples: Samples, proposals: Sequence[Proposal]) -> Path | None:
    """Append these to the file of the samples, in its own style; returns the copy of the old file, if any."""
    add_origins(samples.path, [(one.text, one.document_id, one.part) for one in proposals])
    return append_samples(samples.path, [(one.text, one.labels) for one in proposals])


def _candidates(home: Path, data: PreparedData, samples: Samples, encoding: str) -> Iterator[_Candidate]:
    """Held-out documents that do not select and are no samples yet, in random order."""
    parts = held_out_in(home, data)
    wanted = np.zeros(data.manifest.documents_kept, bool)
    wanted[[place for place, part in parts.items() if part != "select"]] = True
    known_ids = {origin.document_id for origin in samples.origins if origin}
    known_texts = {text_hash(text) for text in samples.texts}
    found = []
    for first, batch in data.numbered_batches():
        rows = np.flatnonzero(wanted[first : first + len(batch)])
        here = batch.take(rows)
        columns = (here.column(name).to_pylist() for name in ("id", "text"))
        for row, document_id, text, tags in zip(rows.tolist(), *columns, list_rows(here.column("tags")), strict=True):
            short = _shortened(text)
            if str(document_id) in known_ids or text_hash(short) in known_texts or not _fits(short, encoding):
                continue
            found.append(_Candidate(first + row, str(document_id), short, tags.tolist()))
    order = ranks(data)
    return iter(sorted(found, key=lambda one: int(order[one.place])))


def _with_rare_tags(
    candidates: Sequence[_Candidate], data: PreparedData, samples: Samples, count: int
) -> list[_Candidate]:
    """At most `count` candidates, each with the rarest tag that neither the samples nor one before it has."""
    covered = {tag for labels in samples.labels for tag in labels}
    by_tag: dict[int, list[_Candidate]] = defaultdict(list)
    for candidate in candidates:
        for tag in candidate.tags:
            by_tag[tag].append(candidate)
    chosen: list[_Candidate] = []
    for tag in sorted(by_tag, key=lambda tag: (data.tag_counts[tag], tag)):
        if len(chosen) == count:
            break
        if data.tags[tag] not in covered:
            one = by_tag[tag][0]
            chosen.append(one)
            covered.update(data.tags[other] for other in one.tags)
    return chosen


def _duplicates(samples: Samples) -> list[list[int]]:
    """The lines of examples that are near-duplicates of each other, in groups."""
    groups: dict[int, list[int]] = defaultdict(list)
    for line, group in zip(samples.lines, group_texts(shingle(samples.texts)).tolist(), strict=True):
        groups[group].append(line)
    return [lines for lines in groups.values() if len(lines) > 1]


def _half_width(examples: int) -> float:
    """How far precision@1 may be off with so many examples: half of Wilson's 95% interval at 0.5, where it is wide."""
    return _NORMAL_95 / (2 * sqrt(examples + _NORMAL_95**2))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST].rpartition(" ")[0].rstrip()


def _fits(text: str, encoding: str) -> bool:
    try:
        as_written(text, encoding)
    except UnicodeEncodeError:
        return False
    return True
