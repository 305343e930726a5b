"""Make the demo's base model: a small BERT that knows which words go together.

    python scripts/demo_base.py     # some ten seconds; commit what it writes

Nothing is trained. In 8,000 documents, drawn as the example's are but from another seed and without tags, it counts
which word pieces share a sentence. Pieces that keep the same company get similar embeddings: the singular vectors of
their pointwise mutual information (Levy and Goldberg 2014). Positions are sines, as in the first transformer, so the
heads of the first layer can be set to look a few tokens back or ahead, which others learn. The rest is random.
"""

import random
import re
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from scipy.linalg import block_diag
from scipy.sparse import csr_matrix
from sklearn.utils.extmath import randomized_svd
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from get_tags_train.demo.corpus import draw_document
from get_tags_train.demo.write import BASE_MODEL_DIR
from get_tags_train.text.clean import join_title

DOCUMENTS = 8000
VOCABULARY = 4000
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SENTENCE_END = re.compile(r"(?<=\.)\s+(?=[A-ZÎȘȚ])")
# Of an embedding's numbers, so many are the word's and the rest the position's, which are as many as a head has.
HEADS = 4
POSITION_SIZE = 32
WORD_SIZE = HEADS * POSITION_SIZE - POSITION_SIZE
# Radians a token, from those that tell neighbours apart to those that tell the beginning from the end.
FREQUENCIES = np.geomspace(0.5, 0.01, POSITION_SIZE // 2)
# How many tokens ahead each head of the first layer looks, and how sharply.
LOOKS = [(-3, 1.0), (-8, 0.5), (3, 1.0), (8, 0.5)]

Floats = NDArray[np.float32]


def main() -> None:
    """Write the folder of the base model."""
    rng = random.Random("base model")
    documents = (draw_document(rng) for _ in range(DOCUMENTS))
    texts = [join_title(document.title, document.text) for document in documents]
    tokenizer = trained_tokenizer(texts)
    model = small_bert(word_embeddings(tokenizer, texts))
    model.config.save_pretrained(BASE_MODEL_DIR)
    weights = {name: weight.half() for name, weight in model.state_dict().items()}
    save_file(weights, BASE_MODEL_DIR / "model.safetensors", metadata={"format": "pt"})
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        model_max_length=512,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(BASE_MODEL_DIR)


def trained_tokenizer(texts: list[str]) -> Tokenizer:
    """A WordPiece tokenizer for these texts, the same each time."""
    tokenizer = _bare_tokenizer(models.WordPiece(unk_token="[UNK]"))
    # The trainer numbers the letters inside words as it meets them, in another order each time, and breaks ties
    # by these numbers. Letters named beforehand keep theirs; in the tokenizer itself they are nothing special.
    letters = [f"##{letter}" for letter in sorted(set("".join(texts).lower()) - {" ", "\n"})]
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, min_frequency=2, special_tokens=SPECIAL_TOKENS + letters, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer = _bare_tokenizer(models.WordPiece(tokenizer.get_vocab(), unk_token="[UNK]"))
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, SPECIAL_TOKENS.index(token)) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _bare_tokenizer(model: models.WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def word_embeddings(tokenizer: Tokenizer, texts: list[str]) -> Floats:
    """Unit vectors that are near where word pieces share sentences with the same ones: (pieces, WORD_SIZE)."""
    together = _counted_together(tokenizer, texts)
    total = together.sum(axis=1)
    smoothed = total**0.75
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(together * smoothed.sum() / np.outer(total, smoothed))
    information = np.nan_to_num(np.maximum(information, 0), nan=0)
    left, strengths, _ = randomized_svd(information, WORD_SIZE, n_iter=4, random_state=0)
    vectors = left * np.sqrt(strengths)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


def _counted_together(tokenizer: Tokenizer, texts: list[str]) -> NDArray[np.float64]:
    """In how many sentences each two word pieces stand: (pieces, pieces)."""
    sentences = [list(set(found.ids)) for found in tokenizer.encode_batch(list(_sentences(texts)), False)]
    ends = np.cumsum([0, *map(len, sentences)])
    pieces = np.concatenate(sentences)
    shape = (len(sentences), tokenizer.get_vocab_size())
    stands_in = csr_matrix((np.ones(len(pieces)), pieces, ends), shape=shape)
    together: NDArray[np.float64] = (stands_in.T @ stands_in).toarray()
    np.fill_diagonal(together, 0)
    return together


def _sentences(texts: list[str]) -> Iterator[str]:
    for text in texts:
        yield from SENTENCE_END.split(text)


def small_bert(words: Floats) -> BertModel:
    """A BERT of two layers with these word embeddings, whose first layer looks at neighbours."""
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=WORD_SIZE + POSITION_SIZE,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        intermediate_size=256,
        initializer_range=0.05,
        max_position_embeddings=512,
        architectures=["BertModel"],
    )
    torch.manual_seed(0)
    model = BertModel(config, add_pooling_layer=False)
    embeddings, attention = model.embeddings, model.encoder.layer[0].attention.self
    with torch.no_grad():
        for weight in (
            embeddings.word_embeddings.weight,
            embeddings.position_embeddings.weight,
            embeddings.token_type_embeddings.weight,
            attention.query.weight,
            attention.key.weight,
        ):
            weight.zero_()
        embeddings.word_embeddings.weight[:, :WORD_SIZE] = torch.from_numpy(words)
        angles = np.outer(np.arange(config.max_position_embeddings), FREQUENCIES)
        sines = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(angles), POSITION_SIZE)
        # As long as a word's vector, so that both count the same.
        embeddings.position_embeddings.weight[:, WORD_SIZE:] = torch.from_numpy(sines / np.sqrt(len(FREQUENCIES)))
        for head, (ahead, sharpness) in enumerate(LOOKS):
            rows = slice(head * POSITION_SIZE, (head + 1) * POSITION_SIZE)
            attention.query.weight[rows, WORD_SIZE:] = torch.from_numpy(sharpness * _turned(ahead))
            attention.key.weight[rows, WORD_SIZE:] = torch.eye(POSITION_SIZE)
    return model


def _turned(ahead: int) -> NDArray[np.float64]:
    """The rotation that makes a position's sines those of the position so many tokens ahead."""
    turns = [[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in ahead * FREQUENCIES]
    rotation: NDArray[np.float64] = block_diag(*turns)
    return rotation


if __name__ == "__main__":
    main()
