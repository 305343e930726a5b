"""Tags for many texts, in their order, and the files that hold them."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from databases import silent
from openpyxl import load_workbook

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.events import Event, Notice, StageProgress
from get_tags_train.model import tagger as model_module
from get_tags_train.model.tagger import TagModel, TagScore, batches_by_length
from get_tags_train.serving.predict import (
    TableForm,
    TextPrediction,
    file_format,
    lines,
    predict_texts,
    write_predictions,
)
from get_tags_train.serving.text_files import Texts

NAMED = [TextPrediction("a", [TagScore("drept; civil", 0.9), TagScore('"șomaj"', 0.25)]), TextPrediction("b", [])]

TEXT = "Angajatorul a desfăcut contractul de muncă fără preaviz."
WHY: dict[str, Any] = {"top_n": 2, "min_score": 0.0, "on_event": silent, "why": True}


def csv_rows(text: str) -> list[list[str]]:
    return list(csv.reader(text.lstrip("\ufeff").splitlines()))


@pytest.fixture(scope="module")
def model(small_model: Path) -> TagModel:
    return TagModel.load(str(small_model))


def texts_of(tmp_path: Path, texts: list[str]) -> Texts:
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return Texts.of_file(path)


def test_each_text_gets_its_own_tags_in_order(model: TagModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "_WINDOW_TEXTS", 4)
    texts = ["contract " * n + f"numărul {n}" for n in (30, 1, 7, 2, 50, 3, 11, 5, 1, 9)]
    with_blanks = ["", *texts[:5], " \n", "", *texts[5:], "\t"]
    events: list[Event] = []
    named = list(predict_texts(model, texts_of(tmp_path, with_blanks), top_n=3, min_score=0.0, on_event=events.append))
    assert [name.id for name in named] == [str(n) for n in range(1, 15)]
    assert [name.tags == [] for name in named] == [not text.strip() for text in with_blanks]
    alone = [model.predict([text], 3)[0] for text in texts]
    for name, expected in zip((name for name in named if name.tags), alone, strict=True):
        assert [tag for tag, _ in name.tags] == [tag for tag, _ in expected]
        assert [score for _, score in name.tags] == pytest.approx([score for _, score in expected], abs=1e-5)
    assert [event.done for event in events if isinstance(event, StageProgress)] == list(range(1, 15))
    assert [event.message for event in events if isinstance(event, Notice)] == [
        "4 of 14 texts have no tag: they are blank, or no tag reaches the least score."
    ]


def test_tags_below_the_least_score_are_not_named(model: TagModel) -> None:
    (every,) = model.predict(["contract"], top_n=100)
    least = every[2].score
    assert model.predict(["contract"], top_n=100, min_score=least) == [every[:3]]
    assert model.predict(["contract"], top_n=2, min_score=least) == [every[:2]]


def test_only_a_window_of_texts_is_read_ahead(model: TagModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "_WINDOW_TEXTS", 4)
    read: list[int] = []
    endless = (read.append(n) or f"text {n}" for n in range(10**9))  # type: ignore[func-returns-value]
    assert len(list(islice(model.predict_each(endless), 6))) == 6
    assert len(read) == 8


def test_threads_share_a_model(model: TagModel) -> None:
    texts = [[f"contract {n} " * (1 + n % 7), "impozit " * n] for n in range(24)]
    alone = [model.predict(pair, 3) for pair in texts]
    with ThreadPoolExecutor(8) as threads:
        shared = list(threads.map(lambda pair: model.predict(pair, 3), texts))
    for one, other in zip(alone, shared, strict=True):
        assert [[tag for tag, _ in tags] for tags in one] == [[tag for tag, _ in tags] for tags in other]


def test_one_bare_text_is_refused(model: TagModel) -> None:
    with pytest.raises(TypeError, match="put the text into a list"):
        model.predict("contract")


def test_batches_hold_each_text_once_with_little_padding() -> None:
    lengths = [512, 3, 510, 4, 5, 300, 3, 290, 2, *([100] * 200)]
    batches = batches_by_length(lengths, 8_192)
    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    for rows in batches:
        width, tokens = max(lengths[row] for row in rows), sum(lengths[row] for row in rows)
        assert width * len(rows) <= 8_192
        assert width * len(rows) - tokens <= 64 + width * len(rows) // 8


def test_csv_has_a_row_for_each_tag() -> None:
    rows = list(csv.reader("".join(lines(NAMED, "csv")).splitlines()))
    expected = [["id", "tag", "score"], ["a", "drept; civil", "0.900000"], ["a", '"șomaj"', "0.250000"], ["b", "", ""]]
    assert rows == expected


def test_json_lines_have_an_object_for_each_text() -> None:
    first, second = map(json.loads, lines(NAMED, "jsonl"))
    assert first == {
        "id": "a",
        "tags": [{"tag": "drept; civil", "score": 0.9}, {"tag": '"șomaj"', "score": 0.25}],
    }
    assert second == {"id": "b", "tags": []}


def test_json_is_one_list() -> None:
    assert [len(entry["tags"]) for entry in json.loads("".join(lines(NAMED, "json")))] == [2, 0]
    assert json.loads("".join(lines(NAMED[:1], "json")))[0]["tags"][1] == {"tag": '"șomaj"', "score": 0.25}


def test_a_workbook_has_a_row_for_each_tag_and_no_formula(tmp_path: Path) -> None:
    results = [TextPrediction("00001", [TagScore("=1+1", 0.9), TagScore("TVA", 0.25)]), TextPrediction("b", [])]
    write_predictions(tmp_path / "x.xlsx", results, "xlsx")
    header, *rows = load_workbook(tmp_path / "x.xlsx").active.iter_rows()
    assert [cell.value for cell in header] == ["id", "tag", "score"]
    assert [[cell.value for cell in row] for row in rows] == [
        ["00001", "=1+1", 0.9], ["00001", "TVA", 0.25], ["b", None, None],
    ]  # fmt: skip
    assert [cell.data_type for cell in rows[0]] == ["s", "s", "n"]


def test_a_row_for_each_document_has_all_its_tags(tmp_path: Path) -> None:
    results = [
        TextPrediction("1", [TagScore("drept", 0.9), TagScore("=1+1", 0.25)], "=Textul"),
        TextPrediction("2", [TagScore("TVA", 0.5)], "Altul"),
        TextPrediction("3", []),
    ]
    form = TableForm("document", 2)
    rows = list(csv.reader("".join(lines(results, "csv", form)).splitlines()))
    assert rows == [
        ["id", "text", "tag_1", "score_1", "tag_2", "score_2"],
        ["1", "'=Textul", "drept", "0.900000", "'=1+1", "0.250000"],
        ["2", "Altul", "TVA", "0.500000", "", ""],
        ["3", "", "", "", "", ""],
    ]
    write_predictions(tmp_path / "x.xlsx", results, "xlsx", form)
    _header, first, *_rest = load_workbook(tmp_path / "x.xlsx").active.iter_rows()
    assert [cell.value for cell in first] == ["1", "=Textul", "drept", 0.9, "=1+1", 0.25]
    assert {cell.data_type for cell in first} == {"s", "n"}


def test_a_text_is_shown_by_its_beginning(model: TagModel, tmp_path: Path) -> None:
    texts = texts_of(tmp_path, ["contract\n de   muncă " * 50, "impozit"])
    first, second = predict_texts(model, texts, top_n=1, min_score=0, on_event=silent)
    assert first.beginning.startswith("contract de muncă contract")
    assert len(first.beginning) == 200
    assert second.beginning == "impozit"


def test_what_is_written_goes_by_the_ending(tmp_path: Path) -> None:
    for name, start in {"x.csv": b"\xef\xbb\xbfid,tag", "x.jsonl": b'{"id"', "x.json": b"[{", "x.xlsx": b"PK"}.items():
        path = tmp_path / name
        write_predictions(path, NAMED, file_format(path))
        assert path.read_bytes().startswith(start)
    assert file_format(Path("x.dat"), "jsonl") == "jsonl"


@pytest.mark.parametrize("name", ["x.tsv", "x.txt", "x.xls", "x.docx"])
def test_an_ending_that_says_nothing_of_what_to_write_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} has the ending"):
        file_format(Path(name))


def test_lines_for_people() -> None:
    assert list(lines(NAMED, "lines")) == ['a: drept; civil 0.900, "șomaj" 0.250\n', "b: \n"]


def test_half_precision_names_the_same_tags_with_nearly_the_same_scores(small_model: Path) -> None:
    texts = ["Angajatorul a desfăcut contractul de muncă fără preaviz.", "Instanța a respins cererea."]
    whole, half = (TagModel.load(small_model, precision=precision).scores(texts) for precision in ("fp32", "bf16"))
    np.testing.assert_allclose(half, whole, atol=0.02)
    assert len(set(half[0].tolist())) == len(half[0])  # eight bits would tie many


def test_one_text_is_no_stage(model: TagModel) -> None:
    (named,) = predict_texts(model, Texts("contract"), top_n=1, min_score=0, on_event=silent)
    assert len(named.tags) == 1


def test_reasons_stand_beside_each_tag(blended_model: Path) -> None:
    found = list(predict_texts(TagModel.load(blended_model), Texts(TEXT), **WHY))
    (header, first, *_), (answer,) = (
        csv_rows("".join(lines(found, "csv", TableForm(has_reasons=True)))),
        json.loads("".join(lines(found, "json"))),
    )
    assert header == ["id", "tag", "score", "words", "documents"]
    assert len(first) == 5
    for tag in answer["tags"]:
        assert set(tag["why"]) == {"words", "documents"}
        assert all(set(document) == {"id", "title", "similarity"} for document in tag["why"]["documents"])


def test_a_blank_text_has_no_reasons(blended_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(f'{{"text": " "}}\n{{"text": "{TEXT}"}}\n', encoding="utf-8")
    found = list(predict_texts(TagModel.load(blended_model), Texts.of_file(path), **WHY))
    assert (found[0].tags, found[0].reasons) == ([], None)
    assert found[1].reasons is not None and len(found[1].reasons) == 2


def test_a_model_without_a_second_reader_has_no_reasons(small_model: Path) -> None:
    with pytest.raises(GetTagsError, match="no second reader"):
        list(predict_texts(TagModel.load(small_model), Texts(TEXT), **WHY))
