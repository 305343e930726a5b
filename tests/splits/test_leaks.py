"""Documents that are also test samples, by id, by their words, or nearly."""

from pathlib import Path

import pytest
from prepared import changed, prepared, texts_of

from get_tags_train.splits.leaks import find_leaks, places_of, write_leaks
from get_tags_train.splits.test_samples import Samples, add_origins


def samples_of(path: Path, *texts: str) -> Samples:
    path.write_text("text,labels\n" + "".join(f'"{text}",a\n' for text in texts), encoding="utf-8")
    return Samples.read(path)


def test_each_way_of_being_a_test_sample(tmp_path: Path) -> None:
    title, plain, other, clean = texts_of(4)
    documents = [
        (10, f"Un titlu oarecare\n{plain}", ["a"]),
        (11, plain.replace(" ", "\n"), ["a"]),
        (12, changed(other).upper(), ["a"]),
        (13, clean, ["a"]),
        (14, title, ["a"]),
    ]
    path = tmp_path / "samples.csv"
    add_origins(path, [("un text care s-a schimbat de atunci", "14", "random")])
    samples = samples_of(path, plain, other, "un text care s-a schimbat de atunci")
    leaks = find_leaks(samples, prepared(tmp_path / "tags_v1", documents))
    assert [(leak.document_id, leak.example, leak.how) for leak in leaks] == [
        (10, 0, "same text"),
        (11, 0, "same text"),
        (12, 1, "nearly the same text"),
        (14, 2, "same id"),
    ]
    assert leaks[2].similarity == pytest.approx(32 / 48)


def test_documents_with_the_words_of_a_sample_are_found_whatever_their_spacing(tmp_path: Path) -> None:
    texts = ["unu doi", "Șapte\nani", "Șapte ani și altele pe lângă ei", "Șapte ani"]
    data = prepared(tmp_path / "tags_v1", [(n, text, ["a"]) for n, text in enumerate(texts)])
    samples = samples_of(tmp_path / "s.csv", "<p>Şapte</p> ani", "cu totul altul")
    assert places_of(find_leaks(samples, data), data).tolist() == [False, True, False, True]


def test_a_sample_that_is_empty_once_clean_takes_no_document_out_of_training(tmp_path: Path) -> None:
    data = prepared(tmp_path / "tags_v1", [(1, "unu doi", ["a"]), (2, "trei\npatru", ["a"])])
    assert find_leaks(samples_of(tmp_path / "s.csv", "<p></p>", "cu totul altul"), data) == []


def test_a_document_is_listed_once_with_the_example_it_is_most_like(tmp_path: Path) -> None:
    (text,) = texts_of(1)
    data = prepared(tmp_path / "tags_v1", [("x1", changed(text, 20), ["a"])])
    samples = samples_of(tmp_path / "s.csv", changed(text, 9), text)
    (leak,) = find_leaks(samples, data)
    assert (leak.place, leak.document_id, leak.example) == (0, "x1", 1)


def test_the_list_names_the_line_of_the_example(tmp_path: Path) -> None:
    (text,) = texts_of(1)
    data = prepared(tmp_path / "tags_v1", [(7, text, ["a"])])
    samples = samples_of(tmp_path / "s.csv", "cu totul altul", text)
    write_leaks(tmp_path / "leaks.csv", find_leaks(samples, data), samples)
    assert (tmp_path / "leaks.csv").read_text(encoding="utf-8-sig").splitlines() == [
        "id,line of the test samples,how,similarity",
        "7,3,same text,1.00",
    ]
