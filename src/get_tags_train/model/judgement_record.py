"""What people found of two models, blind, as get_tags.json keeps it."""

from typing import Literal, Self

from pydantic import Field

from get_tags_train.core.i18n import _, _n
from get_tags_train.model.evaluation_record import Interval, Record

JudgementVerdict = Literal["better", "not distinguishable", "worse", "no verdict"]
LEAST_CARE = 0.5
"""Below it marks give no verdict: they would show less than half of a difference."""
_REVERSED: dict[str, JudgementVerdict] = {"better": "worse", "worse": "better"}


class ShareRecord(Record):
    """How many of so many rows, and the 95% interval of that share."""

    rows: int
    count: int
    interval: Interval


class ControlRecord(Record):
    """What a judge made of the control rows: those on which all agree, and the absurd ones.

    care: the share of agreed ones called right less that of absurd ones (Youden's index); 1 is perfect, 0 is chance.
    """

    agreed: int
    agreed_right: float
    absurd: int
    absurd_right: float
    care: float | None = None

    @property
    def is_careless(self) -> bool:
        """Whether right and absurd rows were told apart too seldom for a verdict."""
        return self.care is not None and self.care < LEAST_CARE


class JudgementRecord(Record):
    """A model against its rival by people who did not know whose a tag was.

    difference is precision@top_k of the model less that of the rival, mean over all `documents`, of which the two
    differ on `differing` and `judged` were judged. The 95% interval is wider away from 0 by what the judges' errors, as
    the control rows show them, may have hidden. `needed` judged documents would show a difference as large as the one
    seen. kappa is Cohen's, of two judges who disagree on `disagreements` rows.
    """

    date: str
    sheet: str
    model: str
    rival: str
    top_k: int
    documents: int
    differing: int
    judged: int
    rows: int
    difference: float
    interval: Interval
    verdict: JudgementVerdict
    needed: int | None = None
    controls: list[ControlRecord] = Field(default_factory=list)
    kappa: float | None = None
    disagreements: int | None = None
    right_though_wrong: ShareRecord | None = None
    wrong_though_right: ShareRecord | None = None

    @property
    def sentence(self) -> str:
        """The verdict for people."""
        said = {"model": self.model, "rival": self.rival, "figures": self._figures()}
        match self.verdict:
            case "better":
                return _("People who did not know which was which prefer {model} to {rival} ({figures}).", **said)
            case "worse":
                return _("People who did not know which was which prefer {rival} to {model} ({figures}).", **said)
            case "not distinguishable":
                return _(
                    "People who did not know which was which cannot tell {model} from {rival} ({figures}).", **said
                )
        if any(one.is_careless for one in self.controls):
            return _("No verdict: by the control rows the marks are not to be relied on ({figures}).", **said)
        return _("No verdict: too few documents are marked ({figures}).", **said)

    def _figures(self) -> str:
        low, high = self.interval
        judged = _n("{count:,} document judged", "{count:,} documents judged", self.judged)
        return _(
            "precision@{k} differs by {difference:+.3f}, {low:+.3f} to {high:+.3f}; {judged} of {differing:,} on which "
            "they differ",
            k=self.top_k,
            difference=self.difference,
            low=low,
            high=high,
            judged=judged,
            differing=self.differing,
        )

    def reversed(self) -> Self:
        """The same as the rival's metadata has it."""
        low, high = self.interval
        changed = {"model": self.rival, "rival": self.model, "difference": -self.difference, "interval": [-high, -low]}
        return self.model_copy(update={**changed, "verdict": _REVERSED.get(self.verdict, self.verdict)})
