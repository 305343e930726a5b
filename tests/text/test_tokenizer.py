"""One tokenizer: the same input_ids from extraction, from prediction and from plain transformers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, BertConfig, PreTrainedTokenizerFast, RobertaConfig

from get_tags_train.core.arrow import list_rows
from get_tags_train.core.errors import GetTagsError
from get_tags_train.text.clean import clean_text
from get_tags_train.text.encoder import CleanTextEncoder
from get_tags_train.text.tokenizer import _text_rules, cut, fingerprint, load_tokenizer, own_normalizer, save_tokenizer

CORPUS = [
    "Instanța a respins cererea și a obligat părțile la plata cheltuielilor de judecată.",
    "În ședința publică, judecătorul a pronunțat hotărârea; șapte ani de închisoare.",
    "Legea nr. 287/2009 privind Codul civil, art. 1350 alin. (2), ÎNALTA CURTE ȘI ȚARA",
]
CONTEXT_LENGTH = 12
BERT_SPECIAL = {
    name: f"[{name[:-6].upper()}]" for name in ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
}
ROBERTA_SPECIAL = {
    "bos_token": "<s>", "cls_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "sep_token": "</s>",
    "unk_token": "<unk>", "mask_token": "<mask>",
}  # fmt: skip


def save_base(folder: Path, backend: Tokenizer, special: dict[str, str], config: BertConfig, names: list[str]) -> None:
    PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=names, **special).save_pretrained(folder)
    config.save_pretrained(folder)


def write_bert_like(folder: Path, normalizer: normalizers.Normalizer | None) -> None:
    """WordPiece with [CLS] and [SEP], and, as all-MiniLM has them, truncation and padding of its own."""
    special = list(BERT_SPECIAL.values())
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = sorted({f"##{letter}" for letter in "".join(CORPUS)})
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=special + letters, show_progress=False)
    backend.train_from_iterator(CORPUS, trainer)
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    backend.enable_truncation(7)
    backend.enable_padding(length=9)
    names = ["input_ids", "token_type_ids", "attention_mask"]
    save_base(folder, backend, BERT_SPECIAL, BertConfig(vocab_size=backend.get_vocab_size()), names)


def write_roberta_like(folder: Path) -> None:
    """Byte-level BPE, which has no normalizer and no token_type_ids and sees every space."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    config = RobertaConfig(vocab_size=backend.get_vocab_size())
    save_base(folder, backend, ROBERTA_SPECIAL, config, ["input_ids", "attention_mask"])


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Base models' tokenizers of three kinds."""
    parent = tmp_path_factory.mktemp("bases")
    write_bert_like(parent / "bert", normalizers.BertNormalizer(lowercase=True, strip_accents=True))
    write_bert_like(parent / "bare", None)
    write_roberta_like(parent / "roberta")
    return {folder.name: folder for folder in parent.iterdir()}


@pytest.fixture(scope="session", params=["bert", "bare", "roberta"])
def base(request: pytest.FixtureRequest, bases: dict[str, Path]) -> Path:
    return bases[request.param]


@pytest.fixture(scope="session")
def model_folder(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of ours with this base model's tokenizer and model type."""
    folder = tmp_path_factory.mktemp("model")
    save_tokenizer(load_tokenizer(str(base)), folder, CONTEXT_LENGTH)
    (folder / "config.json").write_bytes((base / "config.json").read_bytes())
    return folder


def backend_json(tokenizer: PreTrainedTokenizerFast) -> dict[str, object]:
    state: dict[str, object] = json.loads(tokenizer.backend_tokenizer.to_str())
    return state


def encode(folder: Path, text: str) -> list[int]:
    ids: list[int] = AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    return ids


@pytest.fixture(scope="session", params=["BertTokenizer", "BertTokenizerFast", "PreTrainedTokenizerFast", "none"])
def of_class(request: pytest.FixtureRequest, bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT whose tokenizer_config.json names this class, in capitals although its tokenizer.json is not."""
    folder = tmp_path_factory.mktemp("named")
    shutil.copytree(bases["bert"], folder, dirs_exist_ok=True)
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config |= {"tokenizer_class": request.param, "do_lower_case": False}
    if request.param == "none":
        del config["tokenizer_class"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_a_tokenizer_is_what_autotokenizer_gives(of_class: Path) -> None:
    ours, theirs = load_tokenizer(str(of_class)), AutoTokenizer.from_pretrained(of_class)
    own, normalizer = own_normalizer(ours.backend_tokenizer), theirs.backend_tokenizer.normalizer
    assert own is not None and json.loads(own.__getstate__())["normalizers"] == [json.loads(normalizer.__getstate__())]
    assert ours.special_tokens_map == theirs.special_tokens_map
    assert ours.model_input_names == theirs.model_input_names
    for text in CORPUS:
        assert ours(text)["input_ids"] == theirs(text, truncation=False, padding=False)["input_ids"]


def test_the_tokenizer_of_a_bert_is_loaded_without_torch(bases: dict[str, Path]) -> None:
    code = (
        "import sys; from get_tags_train.text.tokenizer import load_tokenizer; load_tokenizer(sys.argv[1]); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(bases["bert"])], check=True)


def test_truncation_and_padding_of_the_base_models_own_are_taken_off(bases: dict[str, Path]) -> None:
    stored = json.loads((bases["bert"] / "tokenizer.json").read_text(encoding="utf-8"))
    assert stored["truncation"] and stored["padding"]
    tokenizer = load_tokenizer(str(bases["bert"]))
    assert backend_json(tokenizer)["truncation"] is None
    assert backend_json(tokenizer)["padding"] is None
    assert len(tokenizer(CORPUS[0])["input_ids"]) > 9
    assert len(tokenizer("a")["input_ids"]) < 9


def test_a_saved_folder_has_no_truncation_or_padding_of_its_own(model_folder: Path) -> None:
    stored = json.loads((model_folder / "tokenizer.json").read_text(encoding="utf-8"))
    assert stored["truncation"] is None
    assert stored["padding"] is None


def test_the_context_length_is_the_saved_model_max_length(model_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    assert tokenizer.model_max_length == CONTEXT_LENGTH
    assert len(tokenizer(CORPUS[0], truncation=True)["input_ids"]) == CONTEXT_LENGTH


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("şapte ţări Ş Ţ", "șapte țări Ș Ț"),
        ("s\u0327apte a\u0306", "șapte ă"),
        ("jude\xadcă\u200btor", "judecător"),
        (" unu\x1c\t\xa0 doi\r\n", "unu doi"),
        ("unu \u200b doi", "unu doi"),
    ],
)
def test_the_text_rules_are_in_the_saved_tokenizer(model_folder: Path, raw: str, clean: str) -> None:
    assert encode(model_folder, raw) == encode(model_folder, clean)


marked_text = st.lists(
    st.tuples(st.sampled_from(["a", "ș", "Ţ", "é", "й", "漢", " ", "\n"]), st.text("\u0301\u0316\u0326\u0344\u0f73"),
              st.sampled_from([1, 1, 1, 60, 250])),
).map(lambda parts: "".join(letter + marks * times for letter, marks, times in parts))  # fmt: skip


@given(text=marked_text)
def test_the_text_rules_are_those_of_cleaning_however_many_marks_a_letter_has(text: str) -> None:
    rules = normalizers.Sequence(_text_rules())
    assert rules.normalize_str(text) == " ".join(clean_text(text).split())


def test_the_base_models_own_normalizer_stays(bases: dict[str, Path], tmp_path: Path) -> None:
    save_tokenizer(load_tokenizer(str(bases["bert"])), tmp_path, CONTEXT_LENGTH)
    assert encode(tmp_path, "JUDECĂTOR") == encode(tmp_path, "judecator")


def test_the_input_names_of_the_base_model_stay(base: Path, model_folder: Path) -> None:
    names = set(AutoTokenizer.from_pretrained(model_folder)("unu"))
    assert names == set(AutoTokenizer.from_pretrained(base).model_input_names)


def test_the_saved_class_is_one_that_old_and_new_transformers_know(model_folder: Path) -> None:
    config = json.loads((model_folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"


def test_special_tokens_stay(base: Path, model_folder: Path) -> None:
    ours, theirs = AutoTokenizer.from_pretrained(model_folder), AutoTokenizer.from_pretrained(base)
    assert (ours.pad_token_id, ours.cls_token_id, ours.sep_token_id, ours.mask_token_id) == (
        theirs.pad_token_id, theirs.cls_token_id, theirs.sep_token_id, theirs.mask_token_id
    )  # fmt: skip


RAW_PIECES = [
    "judecătorul", "Şi", "ţara", "s\u0327", "a\u0306", "\u0301", "art.", "1350", "\x00", "\xad", "\u200b",
    "\ufeff", "\u2028", " ", "  ", "\t", "\r\n", "\x1c", "\x85", "\xa0", "\u3000", "\u0958", "漢", "\U0001f600",
    "\U000e0041", "\u0890", ">", "é",
]  # fmt: skip
raw_text = st.one_of(
    st.lists(st.sampled_from(RAW_PIECES), max_size=40).map("".join),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<&")),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=raw_text)
@example(text="")
@example(text=" \u200b ")
@example(text="Şi ţara " * 20)
@example(text="a \u200b b\U000e0001c")
@example(text="șase a" + "\u0316\u0301" * 150 + " șapte")
@example(text="й" + "\u0f73" * 300)
def test_extraction_and_plain_transformers_give_the_same_input_ids(base: Path, model_folder: Path, text: str) -> None:
    encoder, plain = encoders(base, model_folder)
    (extracted,) = encoder(pa.array([clean_text(text)])).to_pylist()
    assert extracted == plain(text, truncation=True)["input_ids"]


loaded: dict[Path, tuple[CleanTextEncoder, PreTrainedTokenizerFast]] = {}


def encoders(base: Path, model_folder: Path) -> tuple[CleanTextEncoder, PreTrainedTokenizerFast]:
    """Extraction's encoder and what plain transformers loads from the model folder; loaded once."""
    if base not in loaded:
        tokenizer = load_tokenizer(str(base))
        loaded[base] = CleanTextEncoder(tokenizer, CONTEXT_LENGTH), AutoTokenizer.from_pretrained(model_folder)
    return loaded[base]


@pytest.mark.parametrize("context_length", [2, 3, 8, 20, 512])
def test_cutting_is_encoding_at_that_length(base: Path, context_length: int) -> None:
    tokenizer = load_tokenizer(str(base))
    texts = ["", "unu", *CORPUS, " ".join(CORPUS)]
    long, short = (CleanTextEncoder(tokenizer, n)(pa.array(texts)) for n in (512, context_length))
    assert [cut(ids, context_length).tolist() for ids in list_rows(long)] == short.to_pylist()


def test_extraction_keeps_at_most_512_tokens(base: Path) -> None:
    ids = CleanTextEncoder(load_tokenizer(str(base)))(pa.array([" ".join(CORPUS * 100)]))
    assert pc.list_value_length(ids).to_pylist() == [512]
    assert ids.type == pa.list_(pa.int32())


def test_the_fingerprint_outlives_saving_and_loading(base: Path, model_folder: Path) -> None:
    own = fingerprint(load_tokenizer(str(base)))
    assert fingerprint(AutoTokenizer.from_pretrained(model_folder)) == own
    assert fingerprint(load_tokenizer(str(base))) == own


def test_the_fingerprint_tells_tokenizers_apart(bases: dict[str, Path]) -> None:
    assert len({fingerprint(load_tokenizer(str(folder))) for folder in bases.values()}) == len(bases)


def test_the_fingerprint_does_not_depend_on_the_context_length(base: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(str(base))
    before = fingerprint(tokenizer)
    save_tokenizer(tokenizer, tmp_path, 64)
    tokenizer(CORPUS, truncation=True, max_length=8, padding=True)
    assert fingerprint(load_tokenizer(str(tmp_path))) == before


def test_a_model_folder_of_ours_as_base_model_does_not_stack_the_rules(model_folder: Path) -> None:
    stored = json.loads((model_folder / "tokenizer.json").read_text(encoding="utf-8"))["normalizer"]
    assert backend_json(load_tokenizer(str(model_folder)))["normalizer"] == stored


def test_the_examples_base_model_has_a_tokenizer_for_us(demo_tokenizer_folder: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(str(demo_tokenizer_folder))
    save_tokenizer(tokenizer, tmp_path, 512)
    (ids,) = CleanTextEncoder(tokenizer)(pa.array([CORPUS[0]])).to_pylist()
    assert ids == encode(tmp_path, CORPUS[0])


@pytest.mark.parametrize("missing", ["nobody/no-such-model", "no-such-model"])
def test_a_missing_base_model_is_an_error_that_says_how_to_get_it(missing: str) -> None:
    with pytest.raises(GetTagsError) as caught:
        load_tokenizer(missing)
    assert missing in caught.value.message
    assert f"hf download {missing}" in caught.value.hint
    assert "base_model" in caught.value.hint


def test_a_folder_without_a_tokenizer_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(GetTagsError, match=tmp_path.name):
        load_tokenizer(str(tmp_path))


def test_a_base_model_without_a_tokenizer_is_an_error_that_says_so(bases: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((bases["bert"] / "config.json").read_bytes())
    with pytest.raises(GetTagsError, match=f"{tmp_path.name} cannot be loaded: it has no tokenizer"):
        load_tokenizer(str(tmp_path))


def test_a_damaged_tokenizer_is_an_error_that_names_its_folder(bases: dict[str, Path], tmp_path: Path) -> None:
    for path in bases["bert"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(GetTagsError, match=tmp_path.name) as caught:
        load_tokenizer(str(tmp_path))
    assert "missing or damaged" in caught.value.hint
