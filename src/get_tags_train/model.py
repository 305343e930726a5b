"""A model folder: load and check it, texts -> scores -> tags."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from get_tags_train.errors import GetTagsError
from get_tags_train.metrics import rank
from get_tags_train.text import clean_text
from get_tags_train.tokens import knows_words

# A batch of texts is as wide as its longest; short ones share a batch with more of their kind.
_BATCH_TOKENS = 8_192


class TagScore(NamedTuple):
    """A tag and how sure the model is of it: the sigmoid of its logit."""

    tag: str
    score: float


class TagModel:
    """A multi-label model that names tags for texts, computed in fp32."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """Load a model folder. Raises GetTagsError naming what is missing."""
        if not (folder / "config.json").is_file():
            raise GetTagsError(f"{folder} is no model folder: it has no config.json.", "Name a model: get-tags models.")
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
            if not knows_words(self._tokenizer):
                raise ValueError("it has no tokenizer")
            model, loading = AutoModelForSequenceClassification.from_pretrained(
                folder,
                dtype=torch.float32,
                trust_remote_code=False,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
            if missing := sorted(loading["missing_keys"]):
                raise ValueError(f"it has no weights for {', '.join(missing[:3])}")
        except Exception as error:  # a damaged folder fails in many ways inside the library
            said = str(error).strip().splitlines()
            raise GetTagsError(
                f"The model {folder} cannot be loaded: {said[0] if said else type(error).__name__}",
                "It may be damaged: get-tags models verify, or take another one.",
            ) from error
        self._model = model.eval().to(device)
        self._device = device
        labels = model.config.id2label
        self.tags: list[str] = [labels[index] for index in range(model.config.num_labels)]
        positions = getattr(model.config, "max_position_embeddings", None) or 512
        self.context_length = int(min(self._tokenizer.model_max_length, positions))

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The score of every tag for every text, cleaned first: (texts, tags)."""
        encoded = self._tokenizer([clean_text(text) for text in texts], truncation=True, max_length=self.context_length)
        lengths = [len(ids) for ids in encoded["input_ids"]]
        result = np.zeros((len(texts), len(self.tags)), np.float32)
        for rows in _batches(lengths):
            batch = self._tokenizer.pad({name: [values[row] for row in rows] for name, values in encoded.items()})
            inputs = {name: torch.tensor(values).to(self._device) for name, values in batch.items()}
            with torch.inference_mode():
                result[rows] = torch.sigmoid(self._model(**inputs).logits).cpu().numpy()
        return result

    def predict(self, texts: Sequence[str], top_n: int = 5) -> list[list[TagScore]]:
        """The `top_n` tags of each text, surest first, ties in tag order."""
        if not texts:
            return []
        scores = self.scores(texts)
        ranked = rank(scores, top_n)
        return [
            [TagScore(self.tags[tag], float(row[tag])) for tag in best]
            for row, best in zip(scores, ranked, strict=True)
        ]


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Rows in batches of similar length, each at most _BATCH_TOKENS tokens with its padding."""
    batches: list[list[int]] = []
    current: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda r: lengths[r]):
        if current and lengths[row] * (len(current) + 1) > _BATCH_TOKENS:
            batches.append(current)
            current = []
        current.append(row)
    return [*batches, current] if current else batches
