"""A BERT's view for an audit: two of them, each trained on one half of the documents, score the other half."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.files import atomic_write, remove_folder
from get_tags_train.core.home import model_names, models_dir
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import Settings
from get_tags_train.data.near_duplicates import group_documents
from get_tags_train.data.prepared import PreparedData
from get_tags_train.model.device import choose_device
from get_tags_train.model.tagger import TagModel
from get_tags_train.review.out_of_fold import BertLogits, folds_of
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training.train import train

_HALVES = 2
_STRONGEST = 32
_LEAST, _MOST = 1e-7, 1 - 1e-7


def halves_by_bert(settings: Settings, folder: Path, data: PreparedData, on_event: OnEvent) -> BertLogits:
    """Train both halves and score them. What stands in `folder` is not done again, and a training there is resumed."""
    half_of = folds_of(group_documents(data), seed=settings.training.seed) % _HALVES
    paths = [folder / f"bert-{half}.npz" for half in range(_HALVES)]
    for half, path in enumerate(paths):
        if not path.exists():
            on_event(Notice(_("BERT {half} of {halves} of the audit.", half=half + 1, halves=_HALVES)))
            _write(settings, path, data, half_of == half, on_event)
    tags = np.zeros((len(half_of), _STRONGEST), np.int32)
    logits = np.zeros((len(half_of), _STRONGEST), np.float32)
    for path in paths:
        with np.load(path) as stored:
            tags[stored["rows"]], logits[stored["rows"]] = stored["tags"], stored["logits"]
    return BertLogits(tags, logits)


def _write(settings: Settings, path: Path, data: PreparedData, is_scored: NDArray[np.bool_], on_event: OnEvent) -> None:
    """Train on the documents of the other half, score those of this one, and keep their strongest tags."""
    home, device = path.with_suffix(""), choose_device(settings.training.device)
    training = settings.training.model_copy(update={"base_model": settings.base_model, "blend": False})
    own = settings.model_copy(update={"home": home, "training": training})
    if not model_names(home):
        tokenizer = load_tokenizer(settings.base_model)
        train(own, data, is_scored, tokenizer=tokenizer, device=device, on_event=on_event)
    model = TagModel.load(models_dir(home) / model_names(home)[0], device=device)
    number = {tag: place for place, tag in enumerate(data.tags)}
    known = np.array([number[tag] for tag in model.tags], np.int32)
    rows, tags, logits = list[NDArray[np.int64]](), list[NDArray[np.int32]](), list[NDArray[np.float32]]()
    for first, batch in data.numbered_batches():
        here = np.flatnonzero(is_scored[first : first + len(batch)])
        if not len(here):
            continue
        scores = np.clip(model.scores(batch.column("text").take(pa.array(here)).to_pylist()), _LEAST, _MOST)
        strongest = np.argsort(-scores, axis=1, kind="stable")[:, :_STRONGEST]
        missing = _STRONGEST - strongest.shape[1]  # with fewer tags than that the last is written several times
        strongest = np.pad(strongest, ((0, 0), (0, missing)), mode="edge")
        chosen = np.take_along_axis(scores, strongest, axis=1)
        rows.append(first + here)
        tags.append(known[strongest])
        logits.append(np.log(chosen / (1 - chosen)).astype(np.float32))
    with atomic_write(path) as stream:
        np.savez(stream, rows=np.concatenate(rows), tags=np.concatenate(tags), logits=np.concatenate(logits))
    remove_folder(home)
