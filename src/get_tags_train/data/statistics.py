"""Statistics of prepared data: how tags and lengths are distributed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from get_tags_train.data.diff import _by_count
from get_tags_train.data.prepared import PreparedData
from get_tags_train.data.removed_text import RemovedSummary

PERCENTILES = (5, 25, 50, 75, 95)
MOST_FREQUENT = 10
_TAG_STEPS = {"1": 1, "2-9": 2, "10-99": 10, "100-999": 100, "1000 or more": 1000}
_TOKENS_PER_BAR = 64


@dataclass(frozen=True)
class Spread:
    """How a number is spread over documents; percentiles by nearest rank, so each is some document's number."""

    mean: float
    percentiles: dict[str, int]


@dataclass(frozen=True)
class Statistics:
    """How the tags and lengths of documents are distributed.

    `tags_by_documents` counts tags by how many documents they are on, `documents_by_tokens` documents by length;
    `cut` are documents as long as data keep them (512 tokens), `unknown_token_rate` is a share of all stored tokens,
    None where the data do not say which token is the unknown one. `removed` is what cleaning took of the texts, markup
    included: `share` of all characters, `percentiles` of the documents' own shares, how many `lost_much` (they keep
    less than half of what 95% of the documents keep); None where the data do not say.
    """

    tags_by_documents: dict[str, int]
    most_frequent_tags: list[dict[str, Any]]
    tags_per_document: Spread
    tokens_per_document: Spread
    documents_by_tokens: dict[str, int]
    cut: int
    cut_share: float
    unknown_token_rate: float | None
    removed: RemovedSummary | None


def compute_statistics(data: PreparedData) -> Statistics:
    """Read tags and lengths of all documents, a batch at a time; memory does not grow with their number."""
    longest = int(data.manifest.source["context_length"])
    unknown_id = data.manifest.source.get("unknown_token_id")
    tags_of, tokens_of, unknown = np.zeros(1, np.int64), np.zeros(longest + 1, np.int64), 0
    for batch in data.batches():
        tags_of = _count(tags_of, batch.column("tags"))
        tokens_of = _count(tokens_of, batch.column("input_ids"))
        if unknown_id is not None:
            unknown += int(np.count_nonzero(batch.column("input_ids").flatten().to_numpy() == unknown_id))
    tokens = int(tokens_of @ np.arange(len(tokens_of)))
    cut = int(tokens_of[longest:].sum())
    return Statistics(
        tags_by_documents=_tags_by_documents(data.tag_counts),
        most_frequent_tags=[
            {"tag": tag, "documents": count}
            for tag, count in _by_count(dict(zip(data.tags, data.tag_counts, strict=True)))[:MOST_FREQUENT]
        ],
        tags_per_document=_spread(tags_of),
        tokens_per_document=_spread(tokens_of),
        documents_by_tokens=_bars(tokens_of, longest),
        cut=cut,
        cut_share=round(cut / int(tokens_of.sum()), 6),
        unknown_token_rate=None if unknown_id is None else round(unknown / tokens, 6),
        removed=data.manifest.removed,
    )


def _count(counts: NDArray[np.int64], column: pa.ListArray) -> NDArray[np.int64]:
    """counts[n], rows of n entries, with those of this column added."""
    added = np.bincount(pc.list_value_length(column).to_numpy(), minlength=len(counts))
    added[: len(counts)] += counts
    return added


def _spread(counts: NDArray[np.int64]) -> Spread:
    """Of a number that counts[n] documents have at n."""
    total, up_to = int(counts.sum()), np.cumsum(counts)
    ranks = {str(percent): -(-percent * total // 100) for percent in PERCENTILES}
    percentiles = {percent: int(np.searchsorted(up_to, rank)) for percent, rank in ranks.items()}
    return Spread(round(float(counts @ np.arange(len(counts))) / total, 2), percentiles)


def _tags_by_documents(counts: Sequence[int]) -> dict[str, int]:
    found, _ = np.histogram(counts, [*_TAG_STEPS.values(), np.inf])
    return dict(zip(_TAG_STEPS, found.tolist(), strict=True))


def _bars(tokens_of: NDArray[np.int64], longest: int) -> dict[str, int]:
    lasts = [*range(_TOKENS_PER_BAR, longest, _TOKENS_PER_BAR), longest]
    starts = [0, *(last + 1 for last in lasts[:-1])]
    found = np.add.reduceat(tokens_of, starts).tolist()
    return {f"{max(start, 1)}-{last}": count for start, last, count in zip(starts, lasts, found, strict=True)}
