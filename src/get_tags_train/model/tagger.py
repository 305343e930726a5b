"""A model folder: load and check it, texts -> scores -> tags. The one place where a model is computed for use."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

from get_tags_train.core.arrow import list_rows
from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import OnEvent, ignored
from get_tags_train.core.home import check_path
from get_tags_train.core.i18n import Command, _
from get_tags_train.metrics.ranking import rank
from get_tags_train.model.classifier import Classifier, computes_by_torch, open_classifier
from get_tags_train.model.cpu_threads import CpuThreads
from get_tags_train.model.metadata import METADATA_FILE, SCORE_TOLERANCE, ModelMetadata, Probe, read_metadata
from get_tags_train.model.onnx_classifier import OnnxClassifier
from get_tags_train.model.second_reader import FILE as SECOND_READER
from get_tags_train.model.second_reader import Reason, SecondReader
from get_tags_train.model.torch_classifier import TorchClassifier
from get_tags_train.text.clean import clean_text
from get_tags_train.text.encoder import CleanTextEncoder
from get_tags_train.text.tokenizer import MAX_CONTEXT_LENGTH, has_text_rules, knows_words

# Padding that costs less than the start of another batch.
_FREE_PADDING = 64
# Texts that are sorted by length together: enough for batches without padding, few enough to forget.
_WINDOW_TEXTS = 1_024
# So many are computed before anything is waited for; Ctrl-C waits for them too.
_BATCHES_A_CORE = 8
_TRIAL = "text"
# How many of its probes a model is asked when it is loaded: all would take as long as loading it.
_ASKED = 1


class TagScore(NamedTuple):
    """A tag and its score: the sigmoid of its logit."""

    tag: str
    score: float


class EncodedTexts(NamedTuple):
    """Texts as a model reads them: input_ids of each, cut to the context, and what the second reader adds, if any.

    added: (texts, tags).
    """

    input_ids: list[NDArray[np.int32]]
    added: NDArray[np.float32] | None


class TagModel:
    """A multi-label model that predicts tags for texts; several threads may use one at the same time.

    With a second reader in its folder it answers with the blend of both.
    """

    def __init__(
        self,
        folder: Path,
        device: str = "cpu",
        precision: str = "fp32",
        *,
        classifier: Classifier | None = None,
        on_event: OnEvent = ignored,
    ) -> None:
        """Load a model folder; its logits come from `classifier`, or from what is fastest for device and precision.

        Raises GetTagsError naming what is missing.
        """
        if not (folder / "config.json").is_file():
            raise GetTagsError(
                _("{folder} is not a model folder: it has no config.json.", folder=folder),
                _("To list the models: {models}", models=Command("models")),
            )
        try:
            metadata = read_metadata(folder)
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
            self._classifier = classifier or open_classifier(folder, config, device, precision, on_event)
            self._open(folder, config)
            self._threads = CpuThreads(divides=device == "cpu")
            self.second_reader = self._open_second_reader(folder, metadata)
            if isinstance(self._classifier, OnnxClassifier) and metadata and not self._gives(metadata.probes[:_ASKED]):
                on_event(computes_by_torch(_("ONNX Runtime gives this model other scores than torch here.")))
                self._classifier = TorchClassifier(folder, device, precision)
            self.scores([_TRIAL])  # numbers that fit no weights are found out only when they are used
        except Exception as error:  # a damaged folder fails in many ways inside the library
            said = str(error).strip().splitlines()
            raise GetTagsError(
                _(
                    "The model {folder} cannot be loaded: {said}",
                    folder=folder,
                    said=said[0] if said else type(error).__name__,
                ),
                _("It may be damaged. To check it: {verify}", verify=Command("models", "verify", str(folder))),
            ) from error

    def _open(self, folder: Path, config: Any) -> None:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        if not knows_words(tokenizer) or not tokenizer.is_fast:
            raise ValueError(_("it has no tokenizer (tokenizer.json)"))
        self.tags: list[str] = [config.id2label[index] for index in range(config.num_labels)]
        self._place = {tag: place for place, tag in enumerate(self.tags)}
        self.context_length = int(min(tokenizer.model_max_length, self._classifier.most_tokens or MAX_CONTEXT_LENGTH))
        self._pad_token_id = int(tokenizer.pad_token_id or 0)
        self._is_ours = has_text_rules(tokenizer) or (folder / METADATA_FILE).is_file()
        self._encode = (_CleanTexts if self._is_ours else _TextsAsTheyCome)(tokenizer, self.context_length)

    def _open_second_reader(self, folder: Path, metadata: ModelMetadata | None) -> SecondReader | None:
        """None where there is none. Raises ValueError where it is damaged, or missing though the model has one."""
        if (folder / SECOND_READER).is_file():
            return SecondReader.load(folder, len(self.tags))
        if metadata and metadata.second_reader:
            raise ValueError(_("it has no {name}", name=SECOND_READER))
        return None

    def _gives(self, probes: Sequence[Probe]) -> bool:
        """Whether the BERT's scores for these probes are those that torch gave when the model was made."""
        scores = expit(self._logits(self.encode([probe.text for probe in probes]).input_ids))
        return all(
            abs(float(row[self._place[tag]]) - score) <= SCORE_TOLERANCE
            for probe, row in zip(probes, scores, strict=True)
            for tag, score in probe.plain_scores.items()
            if tag in self._place
        )

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        device: str = "cpu",
        precision: str = "fp32",
        on_event: OnEvent = ignored,
    ) -> "TagModel":
        """The model in a folder, on device `cpu` or `cuda`, with precision `fp32` or `bf16`.

        bf16 is faster where the hardware has it; its scores differ in the third decimal. Raises GetTagsError naming
        what is missing. A notice says where torch has to compute what ONNX Runtime would be faster at.
        """
        check_path(Path(folder).absolute())
        return cls(Path(folder), device, precision, on_event=on_event)

    def predict(self, texts: Sequence[str], top_n: int = 5, min_score: float = 0.0) -> list[list[TagScore]]:
        """The `top_n` tags of each text with at least `min_score` (0 to 1), highest score first, ties in tag order.

        Raises TypeError for one bare string, whose letters would count as texts.
        """
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts: put the text into a list")
        return list(self.predict_each(texts, top_n, min_score))

    def predict_each(self, texts: Iterable[str], top_n: int = 5, min_score: float = 0.0) -> Iterator[list[TagScore]]:
        """As `predict`, for any number of texts in constant memory: results come in the order of the texts."""
        remaining = iter(texts)
        while window := list(islice(remaining, _WINDOW_TEXTS)):
            yield from self.top_tags(self.scores(window), top_n, min_score)

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The score of every tag for every text, which a model of ours cleans first: (texts, tags)."""
        return self.score_encoded(self.encode(texts))

    def scores_and_bert_alone(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`scores`, and the same of the BERT alone, as plain transformers gives them: (texts, tags) each."""
        encoded = self.encode(texts)
        logits = self._logits(encoded.input_ids)
        return expit(self._blended(logits, encoded)), expit(logits)

    def reasons(self, text: str, tags: Sequence[str]) -> list[Reason]:
        """Why each of these tags is predicted for a text. Raises GetTagsError where the model has no second reader."""
        if self.second_reader is None:
            raise GetTagsError(
                _("This model has no second reader, so it has no reasons for its tags."),
                _('Train one with blend = "auto" or true under [training].'),
            )
        return self.second_reader.reasons(clean_text(text), [self._place[tag] for tag in tags])

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        """The texts as the model reads them; a model of ours cleans them first."""
        if not texts:
            return EncodedTexts([], None)
        if not self._is_ours:
            return EncodedTexts(self._encode(texts), None)
        clean = [clean_text(text) for text in texts]
        return EncodedTexts(self._encode(clean), self.second_reader.read(clean) if self.second_reader else None)

    def score_encoded(self, encoded: EncodedTexts) -> NDArray[np.float32]:
        """The score of every tag for every text that `encode` has encoded: (texts, tags)."""
        scores: NDArray[np.float32] = expit(self._blended(self._logits(encoded.input_ids), encoded))
        return scores

    def _blended(self, logits: NDArray[np.float32], encoded: EncodedTexts) -> NDArray[np.float32]:
        if self.second_reader is None or encoded.added is None:
            return logits
        return self.second_reader.logits(logits, encoded.added)

    def top_tags(self, scores: NDArray[np.float32], top_n: int, min_score: float = 0.0) -> list[list[TagScore]]:
        """The tags of each row of scores, (texts, tags), as `predict` returns them."""
        return [
            [TagScore(self.tags[tag], float(row[tag])) for tag in best if row[tag] >= min_score]
            for row, best in zip(scores, rank(scores, top_n), strict=True)
        ]

    def _logits(self, encoded: Sequence[NDArray[np.int32]]) -> NDArray[np.float32]:
        """The BERT's logits, batch by batch until each text had its turn: (texts, tags)."""
        result = np.zeros((len(encoded), len(self.tags)), np.float32)
        lengths = [len(ids) for ids in encoded]
        # No larger than each core's share, so that none is idle.
        most = min(self._classifier.batch_tokens, -(-sum(lengths) // self._threads.count))
        batches = batches_by_length(lengths, most)
        step = _BATCHES_A_CORE * self._threads.count
        for first in range(0, len(batches), step):
            side_by_side = batches[first : first + step]
            logits = self._threads.map(lambda rows: self._batch_logits([encoded[row] for row in rows]), side_by_side)
            for rows, own in zip(side_by_side, logits, strict=True):
                result[rows] = own
        return result

    def _batch_logits(self, encoded: Sequence[NDArray[np.int32]]) -> NDArray[np.float32]:
        lengths = np.array([len(row) for row in encoded])
        mask = np.arange(lengths.max()) < lengths[:, None]
        padded = np.full(mask.shape, self._pad_token_id, np.int64)
        padded[mask] = np.concatenate(encoded)
        return self._classifier(padded, mask.astype(np.int64))


class _CleanTexts:
    """Encode clean texts, as they were before training."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, context_length: int) -> None:
        self._encoder, self._lock = CleanTextEncoder(tokenizer, context_length), Lock()

    def __call__(self, clean_texts: Sequence[str]) -> list[NDArray[np.int32]]:
        with self._lock:
            return list_rows(self._encoder(pa.array(clean_texts, pa.string())))


class _TextsAsTheyCome:
    """Encode texts for a model that another tool made, which was trained on them uncleaned."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, context_length: int) -> None:
        # A copy: the tokenizer's own methods set truncation anew on each call, which other threads would meet.
        self._backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._backend.no_padding()
        self._backend.enable_truncation(context_length)

    def __call__(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        whole = [text.encode(errors="replace").decode() for text in texts]  # half a character stops the encoder
        return [np.array(encoding.ids, np.int32) for encoding in self._backend.encode_batch_fast(whole)]


def batches_by_length(lengths: Sequence[int], most_tokens: int) -> list[list[int]]:
    """Places in batches of similar length, shortest first: at most `most_tokens` with padding, little of it padding.

    lengths: tokens of each text. Every place is in exactly one batch; one text may be longer than the most.
    """
    batches: list[list[int]] = []
    current: list[int] = []
    tokens = 0
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        padded = lengths[row] * (len(current) + 1)
        padding = padded - tokens - lengths[row]
        if current and (padded > most_tokens or padding > _FREE_PADDING + padded // 8):
            batches.append(current)
            current, tokens = [], 0
        current.append(row)
        tokens += lengths[row]
    return [*batches, current] if current else batches
