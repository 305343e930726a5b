"""What doctor says of one thing that it has looked at."""

from typing import Literal, NamedTuple


class Check(NamedTuple):
    """One thing that was looked at; `hint` says what to do where it is not ok."""

    name: str
    status: Literal["ok", "warning", "error"]
    message: str
    hint: str = ""
