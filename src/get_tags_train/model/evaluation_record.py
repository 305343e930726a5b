"""An evaluation as get_tags.json keeps it: once it has been read, what is shown of it is there or has a default."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

FURTHER_SETS = ("held_out", "newest", "rare", "judged")
"""Sets beside the test samples, by their names in an evaluation."""

# Of earlier evaluations these are not kept: the newest has them, and they are long.
_LONG = {"tags", "worst_examples", "never_named", "confusions", "flips"}
_BY_K = ("precision_at_k", "recall_at_k", "r_precision_at_k", "ndcg_at_k")
_SINGLE = ("mean_average_precision", "micro_f1", "macro_f1")

ByK = dict[str, float]
Interval = Annotated[list[float], Field(min_length=2, max_length=2)]


class Record(BaseModel):
    """A part of get_tags.json: unknown keys are kept, so that a rewrite by this version loses nothing of another."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    def as_json(self) -> dict[str, Any]:
        """What the file holds: no more than it was read with, or made of."""
        return self.model_dump(exclude_unset=True)


class ComparisonRecord(Record):
    """The model against the live one or the baseline, on one set."""

    rival: Literal["live", "baseline"]
    rival_name: str
    verdict: str
    sentence: str
    set: str = ""
    examples: int = 0
    trained_on: int | None = None
    rival_precision_at_k: ByK = {}
    rival_micro_f1: float | None = None
    rival_macro_f1: float | None = None
    difference_at_k: ByK | None = None
    interval_at_k: dict[str, Interval] | None = None
    needed: int | None = None


class TagChangesRecord(Record):
    """Tags that come, go or are renamed (was, is) for those who used the live model."""

    came: list[str] = []
    gone: list[str] = []
    renamed: list[Annotated[tuple[str, str], Field(strict=False)]] = []


class BandRecord(Record):
    """The true tags of one band of frequency, and the share of them that was found."""

    band: str
    tags: int
    recall_at_k: float | None
    interval: Interval | None


class TagMetricsRecord(Record):
    """Metrics of one tag."""

    tag: str
    support: int
    precision: float | None
    recall: float | None
    f1: float
    named: int


class WorstExampleRecord(Record):
    """An example whose true tags were missed, with the (tag, score) pairs predicted instead."""

    text: str
    true: list[str]
    predicted: list[Annotated[tuple[str, float], Field(strict=False)]]


class BertAloneRecord(Record):
    """Metrics of the BERT alone, as plain transformers reads the folder of a model with a second reader."""

    precision_at_k: ByK
    recall_at_k: ByK
    r_precision_at_k: ByK
    ndcg_at_k: ByK
    mean_average_precision: float
    micro_f1: float
    macro_f1: float
    intervals: dict[str, Interval | dict[str, Interval]]


class ReliabilityRecord(Record):
    """Scores from `low` to `high`: how many, their mean, and the share of them whose tag is true."""

    low: float
    high: float
    count: int
    mean_score: float
    share_true: float
    interval: Interval


class ConfusionRecord(Record):
    """On so many examples one tag is missed where another is wrongly predicted."""

    true: str
    predicted: str
    examples: int


class FlippedExampleRecord(Record):
    """A text on which a tag is found now and was not by the live model, or the reverse."""

    text: str
    is_gained: bool
    predicted: list[Annotated[tuple[str, float], Field(strict=False)]]
    live_predicted: list[Annotated[tuple[str, float], Field(strict=False)]]


class TagFlipsRecord(Record):
    """A true tag that the live model found on so many examples, and this one on so many."""

    tag: str
    support: int
    live_found: int
    found: int
    gained: int
    lost: int
    examples: list[FlippedExampleRecord] = []


class SetRecord(Record):
    """Metrics on one set of examples; those by k have k as text. Without `intervals` only precision@k is known."""

    examples: int = 0
    top_k: int = 0
    precision_at_k: ByK = {}
    best_possible_precision_at_k: ByK = {}
    most_frequent_precision_at_k: ByK | None = None
    recall_at_k: ByK = {}
    r_precision_at_k: ByK = {}
    ndcg_at_k: ByK = {}
    mean_average_precision: float | None = None
    micro_f1: float | None = None
    macro_f1: float | None = None
    intervals: dict[str, Interval | dict[str, Interval]] = {}
    bert_alone: BertAloneRecord | None = None
    bands: list[BandRecord] | None = None
    tags: list[TagMetricsRecord] = []
    never_named: list[str] = []
    worst_examples: list[WorstExampleRecord] = []
    reliability: list[ReliabilityRecord] = []
    confusions: list[ConfusionRecord] = []
    flips: list[TagFlipsRecord] = []
    examples_without_tags: int = 0
    unknown_tags: dict[str, int] = {}
    trained_on: int | None = None
    samples: str = ""
    samples_sha256: str | None = None
    comparisons: list[ComparisonRecord] = []

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        """What is shown at each k is there at each k."""
        by_k: dict[str, Any] = {"precision_at_k": self.precision_at_k}
        if self.bert_alone is not None:
            by_k["bert_alone.precision_at_k"] = self.bert_alone.precision_at_k
        by_k |= {f"comparisons.{one.rival}": one.rival_precision_at_k for one in self.comparisons}
        if self.intervals:
            by_k |= {name: getattr(self, name) for name in (*_BY_K, "best_possible_precision_at_k")}
            by_k |= {f"intervals.{name}": self.intervals.get(name, {}) for name in _BY_K}
        for name, values in by_k.items():
            for k in map(str, range(1, self.top_k + 1)):
                if k not in values:
                    raise _lacks(name, k)
        for name in _SINGLE if self.intervals else ():
            if getattr(self, name) is None:
                raise _lacks("metrics", name)
            if not isinstance(self.intervals.get(name), list):
                raise _lacks("intervals", name)
        return self


def _lacks(name: str, key: str) -> PydanticCustomError:
    return PydanticCustomError("incomplete", "{name} lacks {key}", {"name": name, "key": key})


class EvaluationRecord(SetRecord):
    """One evaluation: metrics on the test samples, with those on further sets inside."""

    date: str = ""
    model: str = ""
    set: str = "test samples"
    live: str | None = None
    read_by: str = "get-tags"
    min_precision_at_k: float = 0.0
    held_out: SetRecord | None = None
    newest: SetRecord | None = None
    rare: SetRecord | None = None
    judged: SetRecord | None = None
    tag_changes: TagChangesRecord | None = None
    seconds: float = 0.0

    @classmethod
    def of(cls, date: str, evaluation: Mapping[str, Any]) -> Self:
        """From an evaluation that was just made."""
        return cls.model_validate({"date": date, **evaluation})

    def shortened(self) -> Self:
        """Without what is long, as evaluations are kept when a newer one has been made."""
        exclude: dict[str, Any] = {**dict.fromkeys(_LONG, True), **dict.fromkeys(FURTHER_SETS, _LONG)}
        return type(self).model_validate(self.model_dump(exclude_unset=True, exclude=exclude))

    def compares_with(self, live_name: str) -> bool:
        """Whether it says which is better, this model or the live one of that name."""
        return any(one.rival == "live" and one.rival_name == live_name for one in self.comparisons)
