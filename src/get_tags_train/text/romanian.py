"""What a tokenizer loses of Romanian: nobody hears of it, and the model never sees it."""

from transformers import PreTrainedTokenizerFast

from get_tags_train.core.i18n import _

_ROMANIAN = "Ședința instanței: Țară, Șomaj, Înalta Curte, Ăștia, păduri, câmpii, În, Ârtă."
_LETTERS = "ăâîșț"


def romanian_loss(tokenizer: PreTrainedTokenizerFast) -> str:
    """What a tokenizer loses of a Romanian sentence, as a sentence; '' where it comes back whole, or in lower case.

    Lower case is a loss only where the vocabulary has capitals; letters that it does not have are a loss always.
    """
    ids = tokenizer(_ROMANIAN, add_special_tokens=False)["input_ids"]
    back = str(tokenizer.decode(ids, skip_special_tokens=True))
    known = set("".join(tokenizer.get_vocab()))
    lost = [letter for letter in _LETTERS if letter not in back.lower()]
    dropped = [letter for letter in lost if letter in known]
    said = {"sentence": _ROMANIAN, "back": back}
    if dropped:
        return _(
            "Its tokenizer drops letters that its vocabulary has, {letters}: '{sentence}' comes back as '{back}'.",
            letters=", ".join(dropped),
            **said,
        )
    if lost:
        return _(
            "Its vocabulary does not have the letters {letters}: '{sentence}' comes back as '{back}'.",
            letters=", ".join(lost),
            **said,
        )
    if back == back.lower() and any(letter.isupper() for token in _words(tokenizer) for letter in token):
        return _(
            "Its tokenizer turns capitals into small letters although its vocabulary has capitals: '{sentence}' comes "
            "back as '{back}'.",
            **said,
        )
    return ""


def _words(tokenizer: PreTrainedTokenizerFast) -> set[str]:
    """The vocabulary without special tokens, such as [CLS]."""
    return {t for t in tokenizer.get_vocab() if not (t.startswith(("[", "<")) and t.endswith(("]", ">")))}
