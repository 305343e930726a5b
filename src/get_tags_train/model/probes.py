"""Probe texts: what a model answered when it was made, so that any copy of it can be asked again."""

from collections.abc import Sequence

import numpy as np

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.i18n import _
from get_tags_train.model.metadata import SCORE_TOLERANCE, Probe, ScoredTag
from get_tags_train.model.tagger import TagModel, TagScore

_KEPT_TAGS = 20
_TAG_TEXTS = 6
# Made up, so that no document travels with a model: old letters, markup, and one that is longer than any context.
_FIXED = (
    "Contractul se încheie între părți în conformitate cu legea.",
    "<p>Şedinţa publică a instanţei</p><p>Hot&#259;r&acirc;rea nr. 12/2024 &amp; anexele</p>",
    "Articolul următor se aplică în mod corespunzător, dacă legea nu prevede altfel. " * 60,
)


def take_probes(model: TagModel) -> list[Probe]:
    """Ask a model, computed in fp32, for texts of no document: fixed ones, and the names of its own tags."""
    step = max(1, len(model.tags) // _TAG_TEXTS)
    texts = [*_FIXED, *(", ".join(model.tags[n : n + 3]) for n in range(0, len(model.tags), step))]
    both = model.scores_and_bert_alone(texts)
    blended, alone = ([_rounded(tags) for tags in model.top_tags(scores, _KEPT_TAGS)] for scores in both)
    if model.second_reader is None:
        return [Probe(text=text, tags=tags) for text, tags in zip(texts, blended, strict=True)]
    answers = zip(texts, blended, alone, strict=True)
    return [Probe(text=text, tags=tags, bert_alone=plain) for text, tags, plain in answers]


def _rounded(tags: Sequence[TagScore]) -> list[ScoredTag]:
    return [ScoredTag(tag=tag, score=round(score, 6)) for tag, score in tags]


def compare(model: TagModel, probes: Sequence[Probe], name: str) -> None:
    """Raise GetTagsError where a model, computed in fp32, does not give its probes' scores."""
    place = {tag: n for n, tag in enumerate(model.tags)}
    blended, alone = model.scores_and_bert_alone([probe.text for probe in probes])
    expected = [*((probe.scores, row) for probe, row in zip(probes, blended, strict=True))]
    expected += [*((probe.plain_scores, row) for probe, row in zip(probes, alone, strict=True) if probe.bert_alone)]
    for scores, row in expected:
        for tag, score in scores.items():
            found = float(row[place[tag]]) if tag in place else float("nan")
            if not abs(found - score) <= SCORE_TOLERANCE:  # so that NaN differs too
                raise GetTagsError(
                    _(
                        "The model {name} does not answer as it did when it was made: for one of its probe texts "
                        "'{tag}' had the score {score:.4f} and has {found:.4f} now.",
                        name=name,
                        tag=tag,
                        score=score,
                        found=found,
                    ),
                    _("Copy the model folder again, or update this machine's packages to those it was trained with."),
                )


def refuse_no_numbers(probes: Sequence[Probe], name: str) -> None:
    """Raise GetTagsError where a model predicts nothing, or scores that are not numbers."""
    if not all(probe.tags and np.isfinite(list(probe.scores.values())).all() for probe in probes):
        raise GetTagsError(
            _("The scores of the model {name} are not numbers (NaN).", name=name),
            _("Its training diverged. Use another model."),
        )
