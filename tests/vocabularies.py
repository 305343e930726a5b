"""Tokenizers that know some letters and not others."""

from pathlib import Path

from transformers import BertConfig, PreTrainedTokenizerFast

from get_tags_train.text.tokenizer import load_tokenizer

SMALL, CAPITALS, SIGNS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZĂÂÎȘȚ", ".,:;"
TINY = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64,
}  # fmt: skip


def vocabulary(folder: Path, letters: str) -> PreTrainedTokenizerFast:
    """The tokenizer that transformers makes of a vocab.txt alone."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    BertConfig(vocab_size=len(pieces), **TINY).save_pretrained(folder)
    return load_tokenizer(str(folder))
