"""How much of the documents cleaning removed, and which of them lost far more than most."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# The share that so many percent of the documents keep is the usual one; a document that keeps less than this part of
# it lost much. Markup counts as removed: among documents that are all HTML, only more than usual stands out.
_USUAL_PERCENT = 95
_PART_OF_USUAL = 0.5


@dataclass(frozen=True)
class RemovedSummary:
    """Shares of characters: removed of all, the most that 95% of the documents lost; how many lost much."""

    share: float
    most: float
    lost_much: int


class RemovedText(NamedTuple):
    """Characters of each document before cleaning, (documents,) int32, and how many of them cleaning removed."""

    characters: NDArray[np.int32]
    removed: NDArray[np.int32]

    def lost_much(self) -> NDArray[np.bool_]:
        """(documents,) True where all went, or the document keeps less than half of what 95% of the documents keep."""
        kept = self._kept_shares()
        if not len(kept):
            return np.zeros(len(self.characters), bool)
        lost = np.zeros(len(self.characters), bool)
        lost[self.characters > 0] = (kept < _PART_OF_USUAL * _lowest_of(kept, _USUAL_PERCENT)) | (kept == 0)
        return lost

    def summary(self) -> RemovedSummary:
        """What the data's manifest says of it."""
        kept, characters = self._kept_shares(), int(self.characters.sum(dtype=np.int64))
        return RemovedSummary(
            share=round(int(self.removed.sum(dtype=np.int64)) / characters, 4) if characters else 0.0,
            most=round(1 - _lowest_of(kept, _USUAL_PERCENT), 4) if len(kept) else 0.0,
            lost_much=int(self.lost_much().sum()),
        )

    def _kept_shares(self) -> NDArray[np.float32]:
        """Of the documents that had a text."""
        has_text = self.characters > 0
        return 1 - (self.removed[has_text] / self.characters[has_text]).astype(np.float32)


def _lowest_of(kept: NDArray[np.float32], percent: int) -> float:
    """The share that so many percent of the documents keep at least (nearest rank)."""
    rank = -(-percent * len(kept) // 100)
    return float(-np.partition(-kept, rank - 1)[rank - 1])
