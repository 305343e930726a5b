"""A model folder of ours gives the same scores here as in plain transformers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.files import write_json
from get_tags_train.model.tagger import TagModel
from get_tags_train.text.tokenizer import load_tokenizer, save_tokenizer

TAGS = ["drept civil", "achiziții publice", "țară", "șomaj", "TVA", "impozit", "muncă"]
CONTEXT_LENGTH = 48
TEXTS = [
    "Instanța a respins cererea reclamantului.",
    "Şedinţa publică de la ţară, în faţa instanţei; s\u0327i t\u0327ara",
    "unu \xad doi\u200b\x00 \r\n\ttrei\x1c patru \u200b cinci",
    "art. 5 < 6 & 7",
    "",
    "   ",
    "judecătorul a pronunțat hotărârea și a obligat pârâtul la plată " * 40,
    "ş" * 3000,
    "scurt",
]


def write_model(folder: Path, base: Path, **config: object) -> None:
    """A tiny model with random weights, large enough that its scores differ, saved as training saves one."""
    tokenizer = load_tokenizer(str(base))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = BertForSequenceClassification(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                initializer_range=0.6,
                problem_type="multi_label_classification",
                id2label=dict(enumerate(TAGS)),
                label2id={tag: number for number, tag in enumerate(TAGS)},
                **config,
            )
        )
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder, CONTEXT_LENGTH)


@pytest.fixture(scope="session")
def model_folder(demo_tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_model(folder, demo_tokenizer_folder)
    return folder


@pytest.fixture(scope="session")
def model(model_folder: Path) -> TagModel:
    return TagModel(model_folder)


def copied(folder: Path, target: Path, *without: str) -> Path:
    target.mkdir()
    for path in folder.iterdir():
        if path.name not in without:
            (target / path.name).write_bytes(path.read_bytes())
    return target


def test_scores_are_those_of_a_plain_pipeline(model: TagModel, model_folder: Path) -> None:
    pipeline = transformers.pipeline("text-classification", model=str(model_folder), top_k=None)
    for text, row in zip(TEXTS, model.scores(TEXTS), strict=True):
        (entries,) = pipeline([text], truncation=True)
        plain = {entry["label"]: entry["score"] for entry in entries}
        assert [plain[tag] for tag in model.tags] == pytest.approx(row.tolist(), abs=1e-5)


def test_scores_tell_texts_and_tags_apart(model: TagModel) -> None:
    scores = model.scores(["Instanța a respins cererea.", "plata impozitului"])
    assert scores.shape == (2, len(TAGS))
    assert scores.std(axis=1).min() > 0.01
    assert np.abs(scores[0] - scores[1]).max() > 0.01


def test_html_and_cedillas_change_no_score(model: TagModel) -> None:
    marked, plain = model.scores(["<p>Şedinţa</p><p>pub<b>lică</b> &amp; ţară</p>", "Ședința\npublică & țară"])
    assert marked.tolist() == pytest.approx(plain.tolist(), abs=1e-6)


def test_scores_do_not_depend_on_the_order_or_company_of_texts(model: TagModel) -> None:
    texts = [f"{text} {number}" for number, text in enumerate(TEXTS * 30)]
    backwards = model.scores(texts[::-1])[::-1]
    alone = np.concatenate([model.scores([text]) for text in texts[: len(TEXTS)]])
    np.testing.assert_allclose(model.scores(texts), backwards, atol=1e-5)
    np.testing.assert_allclose(alone, backwards[: len(TEXTS)], atol=1e-5)


def test_tags_are_in_the_order_of_the_models_labels(model: TagModel) -> None:
    assert model.tags == TAGS


def test_the_context_length_is_the_tokenizers(model: TagModel) -> None:
    assert model.context_length == CONTEXT_LENGTH
    start = "judecătorul a pronunțat hotărârea " * 20
    first, second = model.scores([start + "unu", start + "doi"])
    assert first.tolist() == second.tolist()


def test_the_surest_tags_come_first(model: TagModel) -> None:
    (scores,) = model.scores(["Instanța"])
    (best,) = model.predict(["Instanța"], top_n=3)
    assert [named.tag for named in best] == [TAGS[column] for column in np.argsort(-scores)[:3]]
    assert [named.score for named in best] == sorted((named.score for named in best), reverse=True)


def test_no_more_tags_are_named_than_there_are(model: TagModel) -> None:
    assert len(model.predict(["Instanța"], top_n=50)[0]) == len(TAGS)


def test_no_texts_have_no_tags(model: TagModel) -> None:
    assert model.predict([]) == []


def test_a_model_is_computed_in_fp32_whatever_its_weights(model_folder: Path, tmp_path: Path) -> None:
    half = copied(model_folder, tmp_path / "half")
    BertForSequenceClassification.from_pretrained(half).half().save_pretrained(half)
    np.testing.assert_allclose(
        TagModel(half).scores(["Instanța"]), TagModel(model_folder).scores(["Instanța"]), atol=0.02
    )


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_without_one_of_its_files_is_an_error_that_names_it(
    model_folder: Path, tmp_path: Path, missing: str
) -> None:
    folder = copied(model_folder, tmp_path / "broken", missing, "tokenizer_config.json" if "tok" in missing else "")
    with pytest.raises(GetTagsError) as caught:
        TagModel(folder)
    assert str(folder) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "values"),
    [("config.json", {"num_attention_heads": -1}), ("tokenizer_config.json", {"model_max_length": "C:\\Windows"})],
)
def test_a_folder_whose_numbers_make_no_sense_cannot_be_loaded(
    model_folder: Path, tmp_path: Path, name: str, values: dict[str, object]
) -> None:
    folder = Path(shutil.copytree(model_folder, tmp_path / "model"))
    write_json(folder / name, json.loads((folder / name).read_bytes()) | values)
    with pytest.raises(GetTagsError, match="cannot be loaded"):
        TagModel(folder)


@pytest.mark.parametrize("torn", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_with_a_torn_file_is_an_error_that_names_it(model_folder: Path, tmp_path: Path, torn: str) -> None:
    folder = copied(model_folder, tmp_path / "broken")
    whole = (folder / torn).read_bytes()
    (folder / torn).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GetTagsError) as caught:
        TagModel(folder)
    assert str(folder) in caught.value.message


def test_a_base_model_that_was_never_trained_for_tags_is_an_error(model_folder: Path, tmp_path: Path) -> None:
    folder = copied(model_folder, tmp_path / "base", "model.safetensors")
    BertModel(BertConfig.from_pretrained(model_folder)).save_pretrained(folder)
    with pytest.raises(GetTagsError, match=r"classifier"):
        TagModel(folder)


def test_a_place_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GetTagsError, match="is not a model folder"):
        TagModel(tmp_path / "nothing")


def test_the_labels_of_a_model_are_kept_as_people_wrote_them(model_folder: Path) -> None:
    config = json.loads((model_folder / "config.json").read_text(encoding="utf-8"))
    assert [config["id2label"][str(number)] for number in range(len(TAGS))] == TAGS


def test_a_roberta_model_made_elsewhere_reads_a_long_text(demo_tokenizer_folder: Path, tmp_path: Path) -> None:
    """It has two positions more than it can use, and its tokenizer says nothing of its length."""
    tokenizer = load_tokenizer(str(demo_tokenizer_folder))
    config = RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=66, num_labels=3,
    )  # fmt: skip
    RobertaForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    told = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    del told["model_max_length"]
    write_json(tmp_path / "tokenizer_config.json", told)
    model = TagModel(tmp_path)
    assert model.context_length == 64
    assert len(model.predict(["judecătorul a pronunțat hotărârea " * 100], top_n=3)[0]) == 3
