"""How far two judges agree beyond chance."""

import numpy as np
from numpy.typing import NDArray


def cohen_kappa(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float | None:
    """Cohen's kappa of yes-or-no marks of the same things: (things,) each; 1 is perfect, 0 what chance would give.

    None without any, and where both gave the same mark to all. Cohen, A coefficient of agreement for nominal scales
    (Educational and Psychological Measurement, 1960).
    """
    if not len(one):
        return None
    agreed = float((one == other).mean())
    by_chance = float(one.mean() * other.mean() + (~one).mean() * (~other).mean())
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)
