"""The second reader of a model folder: a linear model and the nearest training documents, blended with the BERT.

It lies beside the plain Hugging Face model in one file, which plain transformers does not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix

from get_tags_train.core.files import atomic_write, read_bytes
from get_tags_train.core.i18n import _
from get_tags_train.metrics.blending import Blend
from get_tags_train.metrics.calibration import Calibration
from get_tags_train.model.linear_reader import LinearReader
from get_tags_train.model.metadata import own_metadata
from get_tags_train.model.nearest_documents import NearestDocuments
from get_tags_train.text.tfidf import TfIdf, words_by_hash

FILE = "second_reader.safetensors"
_FORMAT = 1
_OF_TAGS = (
    *("linear.biases", "linear.scale", "linear.shift", "linear.thresholds", "bert.scale", "bert.shift"),
    *("scale", "shift", "thresholds"),
)
_WORDS_SHOWN = 5
_DOCUMENTS_SHOWN = 3

Tensors = dict[str, NDArray[Any]]


class WordReason(NamedTuple):
    """A word or pair of words, and how much it adds to the logit of a tag."""

    word: str
    adds: float


class DocumentReason(NamedTuple):
    """A training document that has the tag, and the cosine of its features and the text's."""

    id: int | str
    title: str
    similarity: float


class Reason(NamedTuple):
    """Why a tag: the words that carried it, most first, and the nearest documents that have it, nearest first."""

    words: list[WordReason]
    documents: list[DocumentReason]

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """Plain values for JSON, numbers to four digits."""
        return {
            "words": [{"word": word, "adds": round(adds, 4)} for word, adds in self.words],
            "documents": [
                {"id": own, "title": title, "similarity": round(similarity, 4)}
                for own, title, similarity in self.documents
            ],
        }


@dataclass(frozen=True)
class SecondReader:
    """What is read of whole texts beside the BERT.

    `blend` says how much each counts, `calibration` makes probabilities of what comes of it; thresholds: (tags,).
    bert_calibration is that of the BERT alone, which its logits have gone through: the blend weighs those before it.
    """

    linear: LinearReader
    nearest: NearestDocuments | None
    bert_calibration: Calibration
    blend: Blend
    calibration: Calibration
    thresholds: NDArray[np.float64]

    def read(self, clean_texts: Sequence[str]) -> NDArray[np.float32]:
        """What it adds to the weighted logits of the BERT: (texts, tags)."""
        features = self.linear.tfidf.features(clean_texts)
        margins = self.linear.margins(features)
        shares = np.zeros_like(margins) if self.nearest is None else self.nearest.shares(features)
        return self.blend.added(margins, shares)

    def logits(self, bert: NDArray[np.float32], added: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated logits; bert: the BERT's, added: what `read` gave; (texts, tags) each."""
        before = (bert - self.bert_calibration.shift) / self.bert_calibration.scale
        scale, shift = self.calibration
        logits: NDArray[np.float32] = (scale * (self.blend.bert * before + added) + shift).astype(np.float32)
        return logits

    def reasons(self, clean_text: str, tags: Sequence[int]) -> list[Reason]:
        """Why each of these tags, by their places."""
        features = self.linear.tfidf.features([clean_text])
        words = words_by_hash(clean_text)
        near = None if self.nearest is None else self.nearest.similarities(features)
        return [Reason(self._words(features, words, tag), self._documents(near, tag)) for tag in tags]

    def _words(self, features: csr_matrix, words: dict[int, str], tag: int) -> list[WordReason]:
        own = self.linear.weights[features.indices, tag].toarray().ravel()
        adds = self.calibration.scale[tag] * self.blend.linear * own * features.data
        best = np.argsort(-adds, kind="stable")[:_WORDS_SHOWN]
        hashes = self.linear.tfidf.hashes[features.indices[best]]
        found = zip(hashes.tolist(), adds[best].tolist(), strict=True)
        return [WordReason(words[number], add) for number, add in found if add > 0]

    def _documents(self, near: csr_matrix | None, tag: int) -> list[DocumentReason]:
        if near is None or self.nearest is None or not self.blend.nearest:
            return []
        has_tag = self.nearest.tags[near.indices, tag].toarray().ravel() > 0
        found = [(near.indices[n], near.data[n]) for n in np.flatnonzero(has_tag)[:_DOCUMENTS_SHOWN]]
        return [DocumentReason(*self.nearest.name(int(place)), float(np.sqrt(square))) for place, square in found]

    def save(self, folder: Path) -> None:
        """Write it into a model folder, whole or not at all."""
        linear = self.linear
        tensors: Tensors = {
            "hashes": linear.tfidf.hashes,
            "idf": linear.tfidf.idf,
            "linear.biases": linear.biases,
            "linear.scale": linear.calibration.scale,
            "linear.shift": linear.calibration.shift,
            "linear.thresholds": linear.thresholds,
            "blend": np.array(self.blend),
            "bert.scale": self.bert_calibration.scale,
            "bert.shift": self.bert_calibration.shift,
            "scale": self.calibration.scale,
            "shift": self.calibration.shift,
            "thresholds": self.thresholds,
            **_stored("linear.weights", linear.weights),
        }
        if self.nearest is not None:
            tensors |= {"nearest.names": self.nearest.names, "nearest.ends": self.nearest.ends}
            tensors |= _stored("nearest.postings", self.nearest.postings) | _stored("nearest.tags", self.nearest.tags)
        with atomic_write(folder / FILE) as stream:
            stream.write(save(tensors, metadata={"format": str(_FORMAT)}))

    @classmethod
    def load(cls, folder: Path, tags: int) -> "SecondReader":
        """That of a model folder with so many tags. Raises ValueError naming the file where it is damaged."""
        try:
            return cls._of(load(read_bytes(folder / FILE)), tags)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise ValueError(_("{name} cannot be read: {error}", name=FILE, error=error)) from error

    @classmethod
    def _of(cls, tensors: Tensors, tags: int) -> "SecondReader":
        features = len(tensors["hashes"])
        nearest, documents = None, len(tensors.get("nearest.ends", ()))
        if documents:
            nearest = NearestDocuments(
                postings=_matrix(tensors, "nearest.postings", (features, documents)),
                tags=_matrix(tensors, "nearest.tags", (documents, tags)),
                names=tensors["nearest.names"],
                ends=tensors["nearest.ends"],
            )
        lengths = dict.fromkeys(_OF_TAGS, tags) | {"idf": features, "blend": len(Blend._fields)}
        for name, length in lengths.items():
            _require(tensors[name].shape == (length,) and bool(np.isfinite(tensors[name]).all()), name)
        linear = LinearReader(
            tfidf=TfIdf(tensors["hashes"], tensors["idf"]),
            weights=_matrix(tensors, "linear.weights", (features, tags)),
            biases=tensors["linear.biases"],
            calibration=Calibration(tensors["linear.scale"], tensors["linear.shift"]),
            thresholds=tensors["linear.thresholds"],
            documents=0,  # neither is in the file, which is the same where the model is
            seconds=0.0,
        )
        return cls(
            linear=linear,
            nearest=nearest,
            bert_calibration=Calibration(tensors["bert.scale"], tensors["bert.shift"]),
            blend=Blend(*tensors["blend"].tolist()),
            calibration=Calibration(tensors["scale"], tensors["shift"]),
            thresholds=tensors["thresholds"],
        )


def linear_reader_of(folder: Path) -> LinearReader | None:
    """The linear reader in a model folder of ours; None where there is none."""
    if not (folder / FILE).is_file():
        return None
    metadata = own_metadata(folder)
    seconds = metadata.second_reader.linear_seconds if metadata.second_reader else 0.0
    linear = SecondReader.load(folder, len(metadata.tags)).linear
    return replace(linear, documents=metadata.examples, seconds=seconds)


def _stored(name: str, matrix: csr_matrix) -> Tensors:
    """A sparse matrix in few bytes: half precision, and places in 16 bits where that is enough."""
    places = np.uint16 if matrix.shape[1] <= 1 << 16 else np.int32
    return {
        f"{name}.values": matrix.data.astype(np.float16),
        f"{name}.places": matrix.indices.astype(places),
        f"{name}.ends": matrix.indptr[1:].astype(np.int64 if matrix.nnz >= 1 << 31 else np.int32),
    }


def _matrix(tensors: Tensors, name: str, shape: tuple[int, int]) -> csr_matrix:
    """What `_stored` wrote. Raises ValueError where it is no such matrix."""
    values, places, ends = (tensors[f"{name}.{part}"] for part in ("values", "places", "ends"))
    indptr = np.concatenate([[0], ends])
    _require(len(ends) == shape[0] and bool(np.isfinite(values).all()) and len(values) == len(places), name)
    matrix = csr_matrix((values.astype(np.float32), places.astype(np.int32), indptr), shape=shape)
    matrix.check_format(full_check=True)
    return matrix


def _require(is_sound: bool, name: str) -> None:
    if not is_sound:
        raise ValueError(_("{name} does not fit", name=name))
