"""Keys as a person types them; the fixture `keys` of conftest.py sends them to the real prompts."""

ENTER, DOWN, CTRL_C, BACK = "\r", "\x1b[B", "\x03", "<"


def retype(text: str) -> str:
    """Clear what a prompt offers and type this."""
    return "\x15" + text + ENTER
