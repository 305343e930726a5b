"""Tags that may be one."""

from pathlib import Path

import numpy as np
from corpora import documents
from databases import silent
from prepared import prepared

from get_tags_train.data.prepared import PreparedData
from get_tags_train.review.out_of_fold import Corpus, collect
from get_tags_train.review.tag_pairs import TagPair, find_pairs


def pairs(data: PreparedData, folder: Path) -> list[TagPair]:
    corpus = Corpus.read(data, seed=1)
    evidence, _near = collect(corpus, folder, seed=1, on_event=silent)
    return find_pairs(data.tags, corpus, evidence)


def test_two_names_of_one_tag_are_found(tmp_path: Path) -> None:
    # Every third document with urbanism has "amenajare" instead: another name, the same texts.
    own = [
        (n, text, ["amenajare" if tag == "urbanism" and n % 3 == 0 else tag for tag in tags])
        for n, text, tags in documents()
    ]
    (tmp_path / "data").mkdir()
    found = pairs(prepared(tmp_path / "data", own), tmp_path)
    assert (found[0].tag, found[0].becomes) == ("amenajare", "urbanism")
    assert found[0].texts > 0.5
    assert found[0].confused > 0.2


def test_a_misspelling_is_found_by_its_name(tmp_path: Path) -> None:
    own = [(n, text, ["Urbanism." if tag == "urbanism" and n < 10 else tag for tag in tags]) for n, text, tags in
           documents()]  # fmt: skip
    (tmp_path / "data").mkdir()
    found = pairs(prepared(tmp_path / "data", own), tmp_path)
    assert ("Urbanism.", "urbanism") in {(pair.tag, pair.becomes) for pair in found}


def test_tags_that_go_together_are_no_pair(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    found = pairs(prepared(tmp_path / "data", documents()), tmp_path)
    assert not any({"contracte", "drept civil"} == {pair.tag, pair.becomes} for pair in found)
    assert np.isfinite([pair.texts for pair in found]).all()
