"""The embedded example: what it holds, and that it neither overwrites nor stays half written."""

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModel, AutoTokenizer

from get_tags_train.core.config import load_settings
from get_tags_train.core.errors import InputError
from get_tags_train.data.input_files import read_ids
from get_tags_train.demo import write
from get_tags_train.demo.topics import TOPICS
from get_tags_train.splits.test_samples import read_samples
from get_tags_train.text.clean import clean_text, join_title
from get_tags_train.text.tags import normalise_tag


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("demo") / "home"
    write.write_demo(home)
    return home


def rows(home: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(home / "demo.db")) as connection:
        return connection.execute(query).fetchall()


def tags_by_document(home: Path) -> dict[int, set[str]]:
    pairs = rows(
        home,
        "SELECT documents.id, tags.name FROM documents LEFT JOIN document_tags ON document_id = documents.id "
        "LEFT JOIN tags ON tags.id = tag_id",
    )
    tags: dict[int, set[str]] = {}
    for document_id, name in pairs:
        tags.setdefault(document_id, set()).update([normalise_tag(name)] if name else [])
    return tags


def contents(home: Path) -> dict[str, bytes]:
    found = (p for p in home.rglob("*") if p.is_file() and "_cache" not in p.relative_to(home).parts)
    return {p.relative_to(home).as_posix(): p.read_bytes() for p in found}


def test_the_database_holds_documents_of_all_kinds(example: Path) -> None:
    documents = rows(example, "SELECT title, text FROM documents")
    texts = [text or "" for _, text in documents]
    clean = [join_title(title, text) for title, text in documents]
    assert len(documents) >= 1500
    assert sum(not text for text in clean) == 20
    assert len([t for t in clean if t]) - len({t for t in clean if t}) == 25
    assert sum("<p>" in text or "<br>" in text for text in texts) > 200
    assert sum("ş" in text for text in texts) > 200
    assert sum("ș" in text for text in texts) > 200
    assert 0.5 < sum(title is not None for title, _ in documents) / len(documents) < 0.8
    lengths = sorted(len(text.split()) for text in clean if text)
    assert lengths[0] >= 25
    assert lengths[-1] > 300


def test_html_and_cedillas_leave_no_trace_in_the_clean_text(example: Path) -> None:
    clean = " ".join(clean_text(text) for (text,) in rows(example, "SELECT text FROM documents"))
    assert not set("<>&şţŞŢ\xa0") & set(clean)
    assert "{" not in clean


def test_a_few_tags_are_common_and_most_are_rare(example: Path) -> None:
    tags = tags_by_document(example)
    counts = Counter(tag for of_document in tags.values() for tag in of_document)
    shares = [count / len(tags) for _, count in counts.most_common()]
    assert set(counts) == set(TOPICS)
    assert 0.15 <= shares[0] <= 0.22
    assert shares[len(shares) // 2] < 0.06
    assert min(counts.values()) < 25
    assert {len(of_document) for of_document in tags.values()} == {0, 1, 2, 3, 4, 5}


def test_some_tags_stand_in_the_database_in_two_spellings(example: Path) -> None:
    names = {name for (name,) in rows(example, "SELECT name FROM tags")}
    assert {"achiziții publice", "achiziţii publice"} <= names
    assert len({normalise_tag(name) for name in names}) == len(TOPICS)


def test_documents_name_what_they_are_not_about(example: Path) -> None:
    abouts = {re.escape(phrase): tag for tag, topic in TOPICS.items() for phrase in topic.about if "{" not in phrase}
    aside = re.compile(f"Prezenta nu privește ({'|'.join(abouts)})\\.")
    tags, found = tags_by_document(example), 0
    for document_id, text in rows(example, "SELECT id, text FROM documents"):
        for other in aside.findall(clean_text(text or "")):
            found += 1
            assert abouts[re.escape(other)] not in tags[document_id]
    assert found > 20


@pytest.mark.parametrize("tag", TOPICS)
def test_no_tag_is_named_by_its_own_phrases(tag: str) -> None:
    topic = TOPICS[tag]
    assert not [phrase for phrase in topic.who + topic.must + topic.about + topic.fact if tag in phrase]


def test_the_ids_are_of_documents_in_the_database(example: Path) -> None:
    ids = read_ids(example / "ids.csv")
    assert len(set(ids)) == len(ids) == 400
    assert set(ids) <= {str(i) for (i,) in rows(example, "SELECT id FROM documents")}


def test_the_samples_are_known_tags_on_unknown_texts(example: Path) -> None:
    samples = read_samples(example / "test_samples_tags.csv")
    documents = rows(example, "SELECT title, text FROM documents")
    known = {join_title(title, text) for title, text in documents} | {clean_text(text) for _, text in documents}
    assert len(samples) == 300
    assert not {clean_text(text) for _, text, _ in samples} & known
    assert all(labels and set(labels) <= set(TOPICS) for _, _, labels in samples)
    assert (example / "test_samples_tags.csv").read_bytes().startswith(b"\xef\xbb\xbftext,labels\r\n")


def test_the_settings_load_and_point_into_the_home(example: Path) -> None:
    settings = load_settings(example, environ={})
    assert settings.database.url == "sqlite:///demo.db"
    assert settings.base_model == str(example / "demo_bert")
    assert settings.samples_path.is_file()
    assert (settings.training.epochs, settings.training.batch_size, settings.training.context_length) == (5, 16, 512)


def test_the_base_model_loads_and_knows_the_words(example: Path) -> None:
    folder = example / "demo_bert"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer("Autoritatea contractantă a publicat anunțul.", return_tensors="pt")
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])
    assert tokens[:3] == ["[CLS]", "autoritatea", "contractantă"]
    assert tokens[-1] == "[SEP]"
    assert "[UNK]" not in tokens
    model = AutoModel.from_pretrained(folder)
    assert model(**encoded).last_hidden_state.shape == (1, len(tokens), 128)
    assert model.config.vocab_size == len(tokenizer)
    assert len(tokenizer) <= 4000
    assert not list(folder.glob("*.bin"))


def test_two_homes_are_equal_and_another_seed_differs(example: Path, tmp_path: Path) -> None:
    write.write_demo(tmp_path / "again")
    write.write_demo(tmp_path / "other", seed=8)
    assert contents(tmp_path / "again") == contents(example)
    assert contents(tmp_path / "other")["demo.db"] != contents(example)["demo.db"]


@pytest.mark.parametrize("name", ["demo.db", "get-tags.toml", "demo_bert"])
def test_a_file_of_someone_else_is_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is not the example's") as caught:
        write.write_demo(tmp_path)
    assert str(tmp_path / name) in caught.value.message
    assert "--home" in caught.value.hint
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    "content", ["not JSON", "[]", "[" * 3000, '{"files": "demo.db"}', '{"files": [], "seed": null}']
)
def test_a_list_of_someone_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "demo.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"demo\.json was not written by the example"):
        write.write_demo(tmp_path)
    assert (tmp_path / "demo.json").read_text(encoding="utf-8") == content


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="home"):
        write.write_demo(tmp_path / "home")
    with pytest.raises(InputError, match="home"):
        write.write_demo(tmp_path / "home" / "below")
    assert (tmp_path / "home").read_text(encoding="utf-8") == "mine"


def test_a_name_missing_from_the_list_is_someone_elses(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text(json.dumps({"seed": 7, "files": ["demo.db"]}), encoding="utf-8")
    (tmp_path / "ids.csv").write_text("id\n1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"ids\.csv"):
        write.write_demo(tmp_path)


def test_a_killed_demo_mends_itself(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(write, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            write.write_demo(tmp_path)
    assert (tmp_path / "demo.db").is_file()
    assert not (tmp_path / "demo_bert").exists()
    assert not (tmp_path / "get-tags.toml").exists()
    write.write_demo(tmp_path, seed=99)
    assert contents(tmp_path) == contents(example)


def test_what_is_there_stays_as_the_user_left_it(example: Path, tmp_path: Path) -> None:
    write.write_demo(tmp_path)
    (tmp_path / "get-tags.toml").write_text("# mine\n", encoding="utf-8")
    (tmp_path / "ids.csv").unlink()
    write.write_demo(tmp_path)
    assert (tmp_path / "get-tags.toml").read_text(encoding="utf-8") == "# mine\n"
    assert (tmp_path / "ids.csv").read_bytes() == (example / "ids.csv").read_bytes()


def test_it_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write.write_demo(tmp_path)
    assert capfd.readouterr() == ("", "")
