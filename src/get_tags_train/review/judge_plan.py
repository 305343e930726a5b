"""How many rows a sheet needs to tell a difference between two models, and which documents and tags stand in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _
from get_tags_train.metrics.two_phase import documents_needed, smallest_difference
from get_tags_train.review.judge_pool import ComparedDocument, Pool
from get_tags_train.review.judge_sheet import SheetRow, Source

# With fewer judged documents no verdict is given.
FEWEST = 10
# Of tags on which both models and the database agree, and of absurd ones: so many show whether a judge is careful.
_CONTROLS = 12


@dataclass(frozen=True)
class Plan:
    """So many documents are judged, in about so many rows: this difference then shows with a probability of 80%."""

    documents: int
    rows: int
    difference: float


def plan_for_rows(pool: Pool, rows: int) -> Plan:
    """As many documents as fill about so many rows. Raises InputError where that is too few to say anything."""
    _check_pool(pool)
    if rows < _rows(pool, FEWEST):
        raise InputError(
            _("{rows} rows are too few to judge two models by.", rows=rows),
            _("Ask for at least {least}.", least=_rows(pool, FEWEST)),
        )
    count = int((rows - 2 * _CONTROLS) / _tags_each(pool))
    return _plan(pool, min(len(pool.differing), max(FEWEST, count)))


def plan_for_difference(pool: Pool, difference: float) -> Plan:
    """As many documents as show this difference. Raises InputError where all that differ would not."""
    _check_pool(pool)
    count = documents_needed(pool.population, _expected_variance(pool), difference)
    if count is None:
        raise InputError(
            _(
                "A difference of {difference:g} cannot be told with {documents:,} documents that neither model has "
                "seen; the smallest that can is {smallest:.3f}.",
                difference=difference,
                documents=pool.documents,
                smallest=_plan(pool, len(pool.differing)).difference,
            ),
            _("Ask for a larger difference, or hold out more documents (held_out under [evaluation])."),
        )
    return _plan(pool, max(count, FEWEST))


def draw(pool: Pool, plan: Plan, rng: np.random.Generator) -> tuple[list[int], list[SheetRow]]:
    """The places in the pool of the documents to judge, and the rows of the sheet.

    A document's rows stand together, in random order, with controls among them.
    """
    drawn = [int(place) for place in rng.permutation(len(pool.differing))[: plan.documents]]
    chosen = [pool.differing[place] for place in drawn]
    controls = _controls(chosen, _sure_tags, "agreed", rng)
    controls += _controls(chosen, lambda one: _absurd_tags(one, pool.tags), "absurd", rng)
    rows: list[SheetRow] = []
    for number, one in enumerate(chosen):
        own = [SheetRow(document=number, tag=tag, source="model") for tag in one.model_only]
        own += [SheetRow(document=number, tag=tag, source="live") for tag in one.live_only]
        own += [row for row in controls if row.document == number]
        rows += [own[place] for place in rng.permutation(len(own))]
    return drawn, rows


def _check_pool(pool: Pool) -> None:
    if len(pool.differing) >= FEWEST:
        return
    raise InputError(
        _(
            "The two models differ on {differing} of {documents:,} documents that neither has seen: too few to judge.",
            differing=len(pool.differing),
            documents=pool.documents,
        ),
        _("They may be nearly the same. Otherwise hold out more documents (held_out under [evaluation])."),
    )


def _plan(pool: Pool, count: int) -> Plan:
    difference = smallest_difference(pool.population, _expected_variance(pool), count)
    return Plan(count, _rows(pool, count), difference)


def _tags_each(pool: Pool) -> float:
    """How many tags there are to judge on a document."""
    return float(np.mean([len(one.model_only) + len(one.live_only) for one in pool.differing]))


def _rows(pool: Pool, count: int) -> int:
    return round(count * _tags_each(pool)) + 2 * min(_CONTROLS, count)


def _expected_variance(pool: Pool) -> float:
    """Of people's differences on the documents that differ: by the known tags, but not less than of coin tosses."""
    tosses = _tags_each(pool) / (2 * pool.top_k) ** 2
    known = pool.population.known
    return max(float(known.var()), tosses)


def _controls(
    chosen: list[ComparedDocument],
    tags_of: Callable[[ComparedDocument], list[str]],
    source: Source,
    rng: np.random.Generator,
) -> list[SheetRow]:
    """Control rows, one for each of a few documents that have such a tag."""
    rows: list[SheetRow] = []
    for number in rng.permutation(len(chosen)).tolist():
        if len(rows) < _CONTROLS and (tags := tags_of(chosen[number])):
            rows.append(SheetRow(document=number, tag=tags[int(rng.integers(len(tags)))], source=source))
    return rows


def _sure_tags(one: ComparedDocument) -> list[str]:
    """Tags that both models and the database give."""
    return [tag for tag in one.agreed if tag in (one.document.labels or ())]


def _absurd_tags(one: ComparedDocument, tags: Sequence[str]) -> list[str]:
    """Tags that neither model would give this document for long, nor the database."""
    return [tag for tag in tags if tag not in one.near and tag not in (one.document.labels or ())]
