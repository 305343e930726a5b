"""HTML and XML out of a text, in time and memory that grow with its length, without losing what people read.

The rule: a tag, a comment, a processing instruction or a declaration goes where it is complete; what it names or
opens but never closes stays, as all text does. With their content go only closed comments, closed <script> and <style>
that hold code, and the <title> of a <head>. Everything else that an element holds is text: of <noscript>, <template>,
<textarea>, <svg>, <![CDATA[ ]]> and the rest. No tree is built, so neither depth nor wrong nesting matters.
"""

import html
import re
from functools import lru_cache

_BLOCK_NAMES = (
    "address|article|aside|blockquote|body|br|caption|center|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|"
    "footer|form|frameset|h[1-6]|header|hgroup|hr|html|legend|li|listing|main|menu|nav|noframes|noscript|ol|p|"
    "plaintext|pre|search|section|summary|table|tbody|template|textarea|tfoot|thead|title|tr|ul|xmp"
)
_CELL_NAMES = "optgroup|option|select|td|th"
_INLINE_NAMES = (
    "a|abbr|acronym|applet|area|audio|b|base|basefont|bdi|bdo|big|blink|button|canvas|cite|code|col|colgroup|data|"
    "datalist|del|dfn|em|embed|font|frame|g|head|i|iframe|image|img|input|ins|kbd|label|link|map|mark|marquee|math|meta|"
    "meter|mi|mn|mo|mrow|msub|msup|mfrac|msqrt|mtext|nobr|object|output|param|path|picture|progress|q|rb|rp|rt|rtc|ruby|"
    "s|samp|script|slot|small|source|span|strike|strong|style|sub|sup|svg|time|track|tspan|tt|u|var|video|wbr|xml"
)
# What a text must hold to be taken for HTML or XML: everyday names only, as people write <text> or <map> in plain text.
_SURE_NAMES = (
    "address|article|aside|blockquote|body|br|caption|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|"
    "header|hr|html|li|main|nav|ol|p|pre|section|table|tbody|tfoot|thead|title|tr|ul|"
    "a|abbr|acronym|b|big|cite|code|col|colgroup|del|em|font|head|i|iframe|img|input|ins|label|link|mark|math|meta|"
    "noscript|o:p|object|option|plaintext|q|s|script|select|small|span|strike|strong|style|sub|sup|svg|td|template|"
    "textarea|th|tt|u|var|xmp"
)
_DECLARATION = (
    r"<!doctype\s+[\w:.-]+\s*(?:(?:public|system)\b[^<>]*)?>|<!(?:element|entity|attlist|notation)\s[^<>]*>|"
    r"<!\[(?:if\b|endif\b)[^<>\]]*\](?:--)?>|<\?[a-z](?:[^<>]*[^<>\w])?>"
)
_MARKUP = re.compile(rf"<(?:/?(?:{_SURE_NAMES})(?=[\s/>])[^<>]*>|!--|!\[cdata\[)|{_DECLARATION}", re.IGNORECASE)
_DECLARATIONS = re.compile(_DECLARATION, re.IGNORECASE)

# A quoted value with < or > inside ends only where another attribute or the tag's end follows, so that a quote which
# is never closed swallows no text. Tags with more values than this are taken for text: the bound keeps time linear.
_AFTER_VALUE = r"(?=\s*/?>|\s+[\w:.@-]+\s*=)"
_VALUE = rf"=\s*(?:\"[^\"]*(?<!=)\"|'[^']*(?<!=)'){_AFTER_VALUE}"
# Atomic groups, not possessive ones: before 3.11.5 Python loses matches of a group with a + after its quantifier.
_TAG = re.compile(rf"<(/?)([a-z][^\s<>/]*)((?=[\s/>])[^<>=]*+(?>(?:(?>{_VALUE}|=)[^<>=]*+){{0,50}}))>", re.IGNORECASE)
_CUT_TAG = re.compile(rf"</?(?:{_BLOCK_NAMES})(?:\s+[\w:-]+=(?:\"[^\"<>]*\"|'[^'<>]*'))*\s*", re.IGNORECASE)
# Attributes without a value: "a <b și c> d" has none.
_VALUELESS = re.compile(
    r"(?:[\s/]|\b(?:async|checked|compact|controls|defer|disabled|hidden|ismap|multiple|nohref|noresize|noshade|nowrap|"
    r"open|readonly|required|reversed|selected)\b)*",
    re.IGNORECASE,
)
_ONE_WORD = re.compile(rf"{_VALUELESS.pattern}|\s+[a-z-]+\s*/?", re.IGNORECASE)
_CLOSED_NAME = re.compile(r"</([a-z][^\s<>/]*)\s*>", re.IGNORECASE)
_PREFIXED_NAME = re.compile(r"[a-z][a-z0-9]*:[a-z][\w.-]*", re.IGNORECASE)

_CONDITION = re.compile(r"\[[^<>\[\]]*\]>")
_COMMENT_END = re.compile(r"\A-?>|--!?>")
_CDATA_START = re.compile(r"<!\[cdata\[", re.IGNORECASE)
# A tag in quotes is part of a program's string.
_CODE_START = re.compile(r"(?<![\"'])<(script|style)((?=[\s/>])[^<>]*)>", re.IGNORECASE)
_CODE_END = {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style")}
_CODE_SIGN = {"script": re.compile(r"[={]|\w\("), "style": re.compile(r"[{@]")}
_HAS_SPACE = re.compile(r"\S\s|\s\S")
_HEAD_TITLE = re.compile(
    r"(<head(?:\s[^<>]*)?>(?>(?:\s*+<(?!/?head\b|title\b|body\b)[^<>]*>)*)\s*+)<title(?:\s[^<>]*)?>[^<]*</title\s*>",
    re.IGNORECASE,
)

_ENTITY = re.compile(r"&(?:#0*+\d{1,7}|#[xX]0*+[0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# In HTML the semicolon may be missing.
_HTML_ENTITY = re.compile(r"&(?:#0*+\d{1,7}(?!\d)|#[xX]0*+[0-9a-fA-F]{1,6}(?![0-9a-fA-F])|[A-Za-z][A-Za-z0-9]{1,31});?")
_NESTED_AMPERSAND = re.compile(r"&(?:(?:amp|#0*38|#[xX]0*26);)+")

_BREAKS = {"\n": _BLOCK_NAMES, " ": _CELL_NAMES, "": _INLINE_NAMES}
_KNOWN = {
    name: space for space, names in _BREAKS.items() for name in names.replace("h[1-6]", "h1|h2|h3|h4|h5|h6").split("|")
}


def without_markup(text: str) -> str:
    """The text without one layer of markup and entities: what was escaped is markup afterwards."""
    if "&" in text:
        text = _NESTED_AMPERSAND.sub("&", text)
    if "<" in text and _MARKUP.search(text):
        text = _without_tags(_without_unread(text))
        return _HTML_ENTITY.sub(_letter, text) if "&" in text else text
    return _ENTITY.sub(_letter, text) if "&" in text else text


def _letter(entity: re.Match[str]) -> str:
    return _unescaped(entity[0])


@lru_cache(maxsize=1024)
def _unescaped(entity: str) -> str:
    return html.unescape(entity)


def _without_unread(text: str) -> str:
    """Comments, code, the title in the head and the signs around CDATA taken out."""
    if "<!" in text:
        text = "".join(_after_comment(part, n) for n, part in enumerate(text.split("<!--")))
        first, *rest = _CDATA_START.split(text)
        text = first + "".join(part.replace("]]>", "", 1) for part in rest)
    if _CODE_START.search(text):
        first, *rest = _CODE_START.split(text)
        text = first + "".join(_after_code(*rest[n : n + 3]) for n in range(0, len(rest), 3))
    if "<" in text:
        text = _HEAD_TITLE.sub(r"\1", _DECLARATIONS.sub("", text))
    return text


def _after_comment(part: str, number: int) -> str:
    """What is left of a part that follows <!--, up to the next one; all of the first part, which follows nothing."""
    if not number:
        return part
    end = _COMMENT_END.search(part)
    return part[end.end() :] if end else _CONDITION.sub("", part, count=1) if part.startswith("[") else part


def _after_code(name: str, attributes: str, part: str) -> str:
    """What is left of a part that follows <script> or <style>, up to the next one.

    <style> without attributes and </style> around several words without a sign of code are only mentioned.
    """
    name = name.lower()
    end = None if attributes.endswith("/") else _CODE_END[name].search(part)
    if not end:
        return part
    content = part[: end.start()]
    is_code = "=" in attributes or not _HAS_SPACE.search(content) or _CODE_SIGN[name].search(_without_tags(content))
    return part[end.end() :] if is_code else part


def _without_tags(text: str) -> str:
    """Tags become the space that they stand for: a line break, a space between cells, or nothing."""
    closed: set[str] | None = None

    def space(tag: re.Match[str]) -> str:
        nonlocal closed
        slash, name, attributes = tag[1], tag[2].lower(), tag[3]
        if (known := _KNOWN.get(name)) is not None:
            has_sense = _VALUELESS if len(name) == 1 else _ONE_WORD
            is_tag = slash or not attributes or "=" in attributes or has_sense.fullmatch(attributes)
            return known if is_tag else tag[0]
        if _PREFIXED_NAME.fullmatch(name) or '="' in attributes or "='" in attributes:
            return ""
        if closed is None:
            closed = {found.lower() for found in _CLOSED_NAME.findall(text)}
        return "" if name in closed and not attributes.strip(" \t\r\n\f/") else tag[0]

    text = _TAG.sub(space, text)
    last = text.rfind("<")
    return text[:last] if last >= 0 and _CUT_TAG.fullmatch(text, last) else text
