"""Audit the database's tags: which are likely wrong or missing, as a list for people to decide on."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from get_tags_train.core.claims import claimed
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.events import OnEvent
from get_tags_train.core.files import remove_folder
from get_tags_train.core.i18n import Command, _
from get_tags_train.core.system import keep_awake
from get_tags_train.data.decisions import SUSPICIONS, Decision, Key, Suspicion, latest, read_decisions
from get_tags_train.data.prepared import PreparedData
from get_tags_train.review.error_probability import belongs, is_error, rate_deviations
from get_tags_train.review.out_of_fold import BertLogits, Corpus, Evidence, collect
from get_tags_train.review.passages import Passages
from get_tags_train.review.tag_pairs import TagPair, find_pairs
from get_tags_train.review.yield_estimate import Foreseen, fit_shift, foresee

_BEGINNING_CHARACTERS = 300
_MOST_TITLE_CHARACTERS = 100
_NEAREST_SHOWN = 3
_FORMAT = 2

# Where the BERT's logits come from: a folder for what is unfinished, and the folds of the documents.
BertHalves = Callable[[Path, PreparedData], BertLogits]


@dataclass(frozen=True)
class Wanted:
    """What the list is to hold: how many rows, of which kinds, and of which tags (None: all)."""

    count: int
    suspicions: Collection[Suspicion]
    tags: Collection[str] | None = None


class Suspect(NamedTuple):
    """A tag of a document that is likely wrong, or missing.

    nearest: ids of near documents that have the tag, where it is missing, or lack it, where it is wrong. passage: where
    to look. estimate: the logit of the probability before decisions corrected it.
    """

    document_id: str
    title: str
    beginning: str
    tag: str
    suspicion: Suspicion
    probability: float
    nearest: list[str]
    passage: str
    estimate: float
    text_hash: str


@dataclass(frozen=True)
class Audit:
    """The suspected tags, most likely errors first; how many of them are errors; and tags that may be one.

    decided_before: how many pairs are not on the list because somebody has decided on them.
    """

    data: str
    suspects: list[Suspect]
    foreseen: Foreseen
    pairs: list[TagPair]
    decided_before: int


@dataclass(frozen=True)
class _Ranked:
    """The chosen pairs, most likely errors first: their places in the evidence, and estimates of all pairs."""

    order: NDArray[np.int64]
    estimates: NDArray[np.float64]
    probabilities: NDArray[np.float64]


@keep_awake("tags are being audited")
def audit(
    home: Path, data: PreparedData, wanted: Wanted, *, seed: int, on_event: OnEvent, bert: BertHalves | None = None
) -> Audit:
    """The list of tags to decide on; what was decided before is not on it.

    An interrupted audit of the same data and decisions is resumed. Raises InputError for a tag that the data do not
    have, and GetTagsError where another audit is under way.
    """
    if unknown := sorted(set(wanted.tags or ()) - set(data.tags)):
        raise InputError(
            _("{name} has no tag {tag}.", name=data.name, tag=unknown[0]),
            _("What there is:\n{command}", command=Command("data", "show", data.name)),
        )
    decisions = read_decisions(home)
    if decisions:
        data = data.with_decisions(decisions)
    with claimed(home, "audit", _under_way):
        folder = _workspace(home, data, seed, with_bert=bert is not None)
        corpus = Corpus.read(data, seed=seed)
        logits = bert(folder, data) if bert else None
        evidence = collect(corpus, folder, seed=seed, on_event=on_event, bert=logits)
        found = _decide(data, corpus, evidence, decisions, wanted, seed)
        remove_folder(folder)
    return found


def _under_way(who: str) -> GetTagsError:
    return GetTagsError(
        _("An audit is under way in this home: {who}.", who=who),
        _("Wait until it is done, or stop it there with Ctrl-C: the same command then continues it."),
    )


def _workspace(home: Path, data: PreparedData, seed: int, *, with_bert: bool) -> Path:
    """Where the folds of this audit are kept until it is done; those of other data are of no use any more."""
    plan = json.dumps([_FORMAT, data.manifest.checksum, seed, with_bert])
    parent = home / "_cache" / "_audit"
    folder = parent / hashlib.sha256(plan.encode()).hexdigest()[:16]
    for other in parent.iterdir() if parent.is_dir() else ():
        if other != folder:
            remove_folder(other)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _decide(
    data: PreparedData,
    corpus: Corpus,
    found: tuple[Evidence, NDArray[np.int32]],
    decisions: Sequence[Decision],
    wanted: Wanted,
    seed: int,
) -> Audit:
    """What the evidence comes to."""
    evidence, nearest = found
    estimates = is_error(belongs(evidence, corpus, seed=seed), evidence)
    priors = rate_deviations(estimates, evidence)
    missing, wrong = (fit_shift(decisions, kind, prior) for kind, prior in zip(SUSPICIONS, priors, strict=True))
    shifted = estimates + np.where(evidence.is_given, wrong.mean, missing.mean)
    probabilities = np.clip(expit(shifted), 1e-6, 1 - 1e-6)
    of_decided = _decided(data, evidence, latest(decisions))
    order = np.argsort(-shifted, kind="stable")
    order = order[_is_wanted(evidence, data.tags, wanted)[order] & ~of_decided[order]]
    ranked = _Ranked(order[: wanted.count], estimates, probabilities)
    suspects = _described(data, corpus, evidence, nearest, ranked)
    return Audit(
        data=data.name,
        suspects=suspects,
        foreseen=foresee(probabilities[ranked.order], evidence.is_given[ranked.order], missing, wrong),
        pairs=find_pairs(data.tags, corpus, evidence),
        decided_before=int(of_decided.sum()),
    )


def _is_wanted(evidence: Evidence, tags: Sequence[str], wanted: Wanted) -> NDArray[np.bool_]:
    is_wanted = np.where(evidence.is_given, "wrong" in wanted.suspicions, "missing" in wanted.suspicions)
    if wanted.tags is not None:
        is_wanted &= np.isin(evidence.tag, [place for place, tag in enumerate(tags) if tag in wanted.tags])
    return is_wanted


def _decided(data: PreparedData, evidence: Evidence, decided: Mapping[Key, Decision]) -> NDArray[np.bool_]:
    """Which pairs somebody has decided on, while the text was as it is."""
    is_decided = np.zeros(len(evidence), bool)
    if not decided:
        return is_decided
    number = {tag: place for place, tag in enumerate(data.tags)}
    of_document: dict[tuple[str, str], list[int]] = {}
    for key in decided:
        if key.tag in number:
            of_document.setdefault((key.document_id, key.text_hash), []).append(number[key.tag])
    for first, batch in data.numbered_batches():
        ids, hashes = batch.column("id").cast(pa.string()).to_pylist(), batch.column("text_hash").to_pylist()
        for row, text in enumerate(zip(ids, (own.hex() for own in hashes), strict=True)):
            if tags := of_document.get(text):
                start, stop = np.searchsorted(evidence.document, [first + row, first + row + 1])
                is_decided[start:stop] = np.isin(evidence.tag[start:stop], tags)
    return is_decided


def _described(
    data: PreparedData, corpus: Corpus, evidence: Evidence, nearest: NDArray[np.int32], ranked: _Ranked
) -> list[Suspect]:
    """The chosen pairs as people read them; of texts only those on the list are read, one at a time."""
    near = {pair: _near(corpus, evidence, nearest, pair) for pair in ranked.order.tolist()}
    listed = {int(evidence.document[pair]) for pair in near}
    ids = _ids(data, listed | {place for places in near.values() for place in places})
    passages, of_pair = Passages(corpus), dict[int, Suspect]()
    by_document: dict[int, list[int]] = {}
    for pair in near:
        by_document.setdefault(int(evidence.document[pair]), []).append(pair)
    for document, text, text_hash in _texts(data, listed):
        title, _line, rest = text.partition("\n")
        has_title = bool(rest) and len(title) <= _MOST_TITLE_CHARACTERS
        for pair in by_document[document]:
            tag = int(evidence.tag[pair])
            of_pair[pair] = Suspect(
                document_id=ids[document],
                title=title if has_title else "",
                beginning=" ".join((rest if has_title else text)[:_BEGINNING_CHARACTERS].split()),
                tag=data.tags[tag],
                suspicion="wrong" if evidence.is_given[pair] else "missing",
                probability=float(ranked.probabilities[pair]),
                nearest=[ids[place] for place in near[pair]],
                passage=passages.find(document, tag, text),
                estimate=float(ranked.estimates[pair]),
                text_hash=text_hash,
            )
    return [of_pair[pair] for pair in near]


def _near(corpus: Corpus, evidence: Evidence, nearest: NDArray[np.int32], pair: int) -> list[int]:
    """The nearest documents that have the tag, where it is missing, or that lack it, where it is wrong."""
    places = nearest[evidence.document[pair]]
    places = places[places >= 0]
    has_tag = corpus.tags[places][:, [int(evidence.tag[pair])]].toarray().ravel() > 0
    chosen: list[int] = places[has_tag != evidence.is_given[pair]][:_NEAREST_SHOWN].tolist()
    return chosen


def _ids(data: PreparedData, places: Collection[int]) -> dict[int, str]:
    wanted, found = np.array(sorted(places), np.int64), dict[int, str]()
    for first, batch in data.numbered_batches():
        here = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + len(batch))]
        own = batch.column("id").take(pa.array(here - first)).cast(pa.string()).to_pylist()
        found |= dict(zip(here.tolist(), own, strict=True))
    return found


def _texts(data: PreparedData, places: Collection[int]) -> Iterator[tuple[int, str, str]]:
    """(place, text, text hash) of these documents, a batch's at a time."""
    wanted = np.array(sorted(places), np.int64)
    for first, batch in data.numbered_batches():
        here = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + len(batch))]
        rows = batch.take(pa.array(here - first))
        hashes = (own.hex() for own in rows.column("text_hash").to_pylist())
        yield from zip(here.tolist(), rows.column("text").to_pylist(), hashes, strict=True)
