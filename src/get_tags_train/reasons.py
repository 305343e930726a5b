"""Why a value is refused, in the reader's language; pydantic says it in English."""

import re

from get_tags_train.words import N_, _

_REASONS = [
    (r"Input should be a valid integer.*", N_("it should be a whole number")),
    (r"Input should be a valid number.*", N_("it should be a number")),
    (r"Input should be a valid boolean.*", N_("it should be true or false")),
    (r"Input should be a valid string.*", N_("it should be a text in quotes")),
    (r"Input should be a valid dictionary.*", N_("it should be a section: a line [name] with settings below it")),
    (r"Input should be greater than or equal to (?P<limit>\S+)", N_("it should be at least {limit}")),
    (r"Input should be less than or equal to (?P<limit>\S+)", N_("it should be at most {limit}")),
    (r"Input should be greater than (?P<limit>\S+)", N_("it should be more than {limit}")),
    (r"Input should be less than (?P<limit>\S+)", N_("it should be less than {limit}")),
    (r"String should have at least 1 character", N_("it should not be empty")),
    (r"Value error, (?P<value>.*) is not one of (?P<choices>.*?)\.?", N_("{value} is not one of {choices}")),
    (r"Input should be (?P<first>'.*) or (?P<last>'.*')", N_("it should be {first} or {last}")),
    (r"Input should be (?P<only>'.*')", N_("it should be {only}")),
]


def reason(message: str) -> str:
    """What pydantic says of a value, in words for people; in its own where we have none."""
    for pattern, text in _REASONS:
        if found := re.fullmatch(pattern, message):
            return _(text, **found.groupdict())
    return message[:1].lower() + message[1:]
