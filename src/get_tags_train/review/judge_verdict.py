"""What the marks of a sheet say: which model people prefer, how careful they were, how right the database is."""

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from get_tags_train.metrics.agreement import cohen_kappa
from get_tags_train.metrics.intervals import Interval, Ratio, share_interval
from get_tags_train.metrics.two_phase import Difference, Population, documents_needed, estimate
from get_tags_train.model.judgement_record import (
    LEAST_CARE,
    ControlRecord,
    JudgementRecord,
    JudgementVerdict,
    ShareRecord,
)
from get_tags_train.review.judge_plan import FEWEST
from get_tags_train.review.judge_sheet import MarkedSheet, SheetKey, Source
from get_tags_train.review.marks import mean_value

_SIGNS: dict[Source, float] = {"model": 1.0, "live": -1.0, "agreed": 0.0, "absurd": 0.0}


def judgement_of(key: SheetKey, marked: Sequence[MarkedSheet]) -> JudgementRecord:
    """The verdict by the marks of one judge, or of two, whose mean counts."""
    values = row_values(key, marked)
    judged = complete_documents(key, values)
    population = Population(key.documents, np.array(key.known))
    differences = _differences(key, values)[judged]
    found = _estimate(population, judged, differences, key.top_k)
    controls = [_controls(key, one) for one in marked]
    is_careless = any(one.is_careless for one in controls)
    verdict = _verdict(found.interval, len(judged), is_careless=is_careless)
    several = len(marked) > 1
    return JudgementRecord(
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        sheet=key.sheet,
        model=key.model,
        rival=key.live,
        top_k=key.top_k,
        documents=key.documents,
        differing=population.differing,
        judged=len(judged),
        rows=int((~np.isnan(values)).sum()),
        difference=round(found.value, 6),
        interval=[round(end, 6) for end in _widened(found.interval, controls)],
        verdict=verdict,
        needed=_needed(population, differences, found.value) if verdict == "not distinguishable" else None,
        controls=controls,
        kappa=_kappa(key, marked) if several else None,
        disagreements=len(disagreements(key, marked)) if several else None,
        right_though_wrong=_share(key, values, lambda value: value > 0.5, in_database=False),
        wrong_though_right=_share(key, values, lambda value: value < 0.5, in_database=True),
    )


def row_values(key: SheetKey, marked: Sequence[MarkedSheet]) -> NDArray[np.float64]:
    """What the marks of each row come to, 0 wrong to 1 right, NaN without any: (rows,)."""
    means = [mean_value(one.marks[row] for one in marked) for row in range(len(key.rows))]
    return np.array([np.nan if mean is None else mean for mean in means])


def complete_documents(key: SheetKey, values: NDArray[np.float64]) -> NDArray[np.intp]:
    """The documents (their places in the sheet) whose tags that differ all have a mark."""
    complete = np.ones(len(key.judged), bool)
    for row, value in zip(key.rows, values, strict=True):
        if _SIGNS[row.source] and np.isnan(value):
            complete[row.document] = False
    return np.flatnonzero(complete)


def disagreements(key: SheetKey, marked: Sequence[MarkedSheet]) -> list[int]:
    """The rows that two judges marked differently, where both marked them."""
    if len(marked) < 2:
        return []
    pairs = [(one, other) for one, other in zip(marked[0].marks, marked[1].marks, strict=True)]
    return [row for row, (one, other) in enumerate(pairs) if one and other and one != other]


def _differences(key: SheetKey, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """precision@k of the model less that of the live one on each document, by the marks: (documents of the sheet,)."""
    places = np.array([row.document for row in key.rows])
    signs = np.array([_SIGNS[row.source] for row in key.rows])
    counted = signs != 0
    return np.bincount(places[counted], (signs * values)[counted], len(key.judged)) / key.top_k


def _estimate(
    population: Population, judged: NDArray[np.intp], differences: NDArray[np.float64], top_k: int
) -> Difference:
    """The difference; where hardly anything is marked it can be anything."""
    if len(judged) < 3:
        return Difference(0.0, 1.0, Interval(-1.0, 1.0))
    return estimate(population, judged, differences, unit=1 / top_k)


def _widened(interval: Interval, controls: Sequence[ControlRecord]) -> Interval:
    """The interval of what a perfect judge would find: errors make a difference smaller, so its ends lie further out.

    By how much the control rows say: a difference shrinks by Youden's index of the judge (Rogan and Gladen, 1978).
    """
    cares = [one.care for one in controls if one.care is not None]
    shrunk = float(np.clip(np.mean(cares), LEAST_CARE, 1.0)) if cares else 1.0
    low, high = interval
    return Interval(max(-1.0, low / shrunk if low < 0 else low), min(1.0, high / shrunk if high > 0 else high))


def _verdict(interval: Interval, judged: int, *, is_careless: bool) -> JudgementVerdict:
    if is_careless or judged < FEWEST:
        return "no verdict"
    return "better" if interval.low > 0 else "worse" if interval.high < 0 else "not distinguishable"


def _needed(population: Population, differences: NDArray[np.float64], difference: float) -> int | None:
    """How many judged documents would show it; None where all would not, or there is none."""
    if not difference:
        return None
    return documents_needed(population, float(differences.var(ddof=1)), abs(difference))


def _controls(key: SheetKey, marked: MarkedSheet) -> ControlRecord:
    def values_of(source: Source) -> list[float]:
        own = [mark for row, mark in zip(key.rows, marked.marks, strict=True) if row.source == source]
        return [value for mark in own if (value := mean_value([mark])) is not None]

    agreed, absurd = values_of("agreed"), values_of("absurd")
    return ControlRecord(
        agreed=len(agreed),
        agreed_right=sum(agreed),
        absurd=len(absurd),
        absurd_right=sum(absurd),
        care=round(float(np.mean(agreed) - np.mean(absurd)), 6) if agreed and absurd else None,
    )


def _kappa(key: SheetKey, marked: Sequence[MarkedSheet]) -> float | None:
    """Of the rows that differ and that both called right or wrong."""
    sure = ("right", "wrong")
    pairs = [
        (one == "right", other == "right")
        for row, one, other in zip(key.rows, marked[0].marks, marked[1].marks, strict=True)
        if _SIGNS[row.source] and one in sure and other in sure
    ]
    kappa = cohen_kappa(*np.array(pairs, bool).reshape(-1, 2).T)
    return None if kappa is None else round(kappa, 6)


def _share(
    key: SheetKey, values: NDArray[np.float64], holds: Callable[[float], bool], *, in_database: bool
) -> ShareRecord | None:
    """Of the tags that differ and that the database has, or has not: how many people see otherwise."""
    rows, counts = np.zeros(len(key.judged)), np.zeros(len(key.judged))
    for row, value in zip(key.rows, values, strict=True):
        labels = key.judged[row.document].labels
        if _SIGNS[row.source] and labels is not None and (row.tag in labels) == in_database and not np.isnan(value):
            rows[row.document] += 1
            counts[row.document] += holds(value)
    if not rows.any():
        return None
    interval = share_interval(Ratio.of(counts, rows, np.arange(len(rows))))
    return ShareRecord(rows=int(rows.sum()), count=int(counts.sum()), interval=[round(end, 6) for end in interval])
