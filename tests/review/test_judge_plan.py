"""How many rows a sheet needs, and what stands in it."""

from collections import Counter

import numpy as np
import pytest

from get_tags_train.core.errors import InputError
from get_tags_train.review.judge_plan import FEWEST, draw, plan_for_difference, plan_for_rows
from get_tags_train.review.judge_pool import ComparedDocument, Document, Pool

TAGS = [f"t{n}" for n in range(40)]


def pool(differing: int, documents: int = 400, k: int = 5) -> Pool:
    """On every document the model alone has one tag, the live one another; both share a third, which is true."""
    compared = []
    for n in range(differing):
        a, b, c = (TAGS[(n + shift) % 40] for shift in range(3))
        document = Document(str(n), f"text {n}", [a, c] if n % 2 else [b, c])
        compared.append(ComparedDocument(document, [a], [b], [c], near=frozenset([a, b, c])))
    return Pool(k, documents, compared, TAGS)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_so_many_rows_are_filled() -> None:
    plan = plan_for_rows(pool(300), 124)
    assert (plan.documents, plan.rows) == (50, 124)  # 24 control rows, two tags a document
    _drawn, rows = draw(pool(300), plan, rng())
    assert len(rows) == 124


def test_more_rows_tell_a_smaller_difference() -> None:
    assert plan_for_rows(pool(300), 400).difference < plan_for_rows(pool(300), 100).difference


def test_a_difference_asks_for_as_many_documents_as_show_it() -> None:
    plan = plan_for_difference(pool(300), 0.04)
    assert plan.difference <= 0.04
    assert plan_for_rows(pool(300), plan.rows - 2).difference > 0.04


def test_a_difference_that_all_documents_do_not_show_is_refused_with_the_smallest() -> None:
    with pytest.raises(InputError, match=r"0\.001 cannot be told with 400 documents .* smallest that can is 0\.02"):
        plan_for_difference(pool(300), 0.001)


def test_models_that_hardly_differ_are_not_judged() -> None:
    with pytest.raises(InputError, match="differ on 9 of 400 documents"):
        plan_for_rows(pool(FEWEST - 1), 200)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(InputError, match="20 rows are too few") as error:
        plan_for_rows(pool(300), 20)
    assert error.value.hint == "Ask for at least 40."


def test_every_tag_that_differs_and_both_kinds_of_controls_are_asked_once() -> None:
    found = pool(300)
    drawn, rows = draw(found, plan_for_rows(found, 124), rng())
    assert len(set(drawn)) == 50
    assert Counter(row.source for row in rows) == {"model": 50, "live": 50, "agreed": 12, "absurd": 12}
    for row in rows:
        one = found.differing[drawn[row.document]]
        lists = {"model": one.model_only, "live": one.live_only, "agreed": one.agreed}
        if row.source in lists:
            assert row.tag in lists[row.source]
        else:
            assert row.tag not in one.near
    assert len({(row.document, row.tag) for row in rows}) == len(rows)


def test_rows_of_a_document_stand_together_in_an_order_that_tells_nothing() -> None:
    found = pool(300)
    _drawn, rows = draw(found, plan_for_rows(found, 324), rng())
    assert [row.document for row in rows] == sorted(row.document for row in rows)
    firsts = Counter(rows[n].source for n in range(len(rows)) if n == 0 or rows[n].document != rows[n - 1].document)
    assert firsts["model"] > 50
    assert firsts["live"] > 50


def test_nothing_is_absurd_where_every_tag_is_near() -> None:
    few = pool(20)
    near = Pool(
        5, 400, [one.__class__(one.document, ["a"], ["b"], ["c"], frozenset(TAGS)) for one in few.differing], TAGS
    )
    _drawn, rows = draw(near, plan_for_rows(near, 60), rng())
    assert {row.source for row in rows} == {"model", "live"}
