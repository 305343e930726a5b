"""Agreement of two judges, worked by hand."""

import numpy as np
import pytest

from get_tags_train.metrics.agreement import cohen_kappa


def marks(text: str) -> np.ndarray:
    return np.array([mark == "1" for mark in text])


def test_agreement_beyond_chance() -> None:
    # They agree on 7 of 10; by chance on .6 x .5 + .4 x .5 = .5.
    assert cohen_kappa(marks("1111110000"), marks("1111001000")) == pytest.approx((0.7 - 0.5) / 0.5)


def test_perfect_agreement_and_none() -> None:
    assert cohen_kappa(marks("1100"), marks("1100")) == 1
    assert cohen_kappa(marks("1100"), marks("0011")) == -1


def test_where_there_is_nothing_to_tell() -> None:
    assert cohen_kappa(marks(""), marks("")) is None
    assert cohen_kappa(marks("111"), marks("111")) is None
