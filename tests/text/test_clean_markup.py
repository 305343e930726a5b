"""Markup goes, the rest of the document stays, and neither depth nor size costs more than its share."""

import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from get_tags_train.text.clean import clean_text

REST = "lipsea.\nArt. 2 Prezenta lege"


@pytest.mark.parametrize(
    "opening",
    [
        "<style>", "<STYLE type='text/css'>", "<script>", '<script src="a.js">', "<script/>", "<!--", "<!--[if mso]>",
        "<![CDATA[", "<head>", "<svg>", "<math>", "<iframe>", "<object>", "<select>", "<option>", "<o:p>",
        "<b>", "<font color=red>", "<![if !mso]>", '<?xml version="1.0"?>', "<!DOCTYPE html>",
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "<p>Art. 1</p>"])
def test_what_is_opened_and_never_closed_takes_nothing_with_it(opening: str, before: str) -> None:
    expected = ("Art. 1\n" if before else "") + f"Eticheta {REST}"
    assert clean_text(f"{before}Eticheta {opening} {REST}") == expected


@pytest.mark.parametrize(
    "opening",
    ["title", "textarea", "xmp", "plaintext", "template", "noscript", "body", "html", "table", "frameset", "pre"],
)
def test_a_block_that_is_never_closed_begins_a_line(opening: str) -> None:
    assert clean_text(f"<p>Eticheta <{opening}> {REST}") == f"Eticheta\n{REST}"


@pytest.mark.parametrize("cut", ["<?xml", "<!DOCTYPE", "<![if", "</", "<style", "<script src='a", '<p class="x', "<b"])
def test_a_sign_that_never_becomes_a_tag_is_text(cut: str) -> None:
    assert clean_text(f"<p>Eticheta {cut} {REST}</p>") == f"Eticheta {cut} {REST}"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Se folosesc <script> și </script> aici", "Se folosesc și aici"),
        ("Între <style> și </style> stau reguli", "Între și stau reguli"),
        ("Eticheta <style> lipsea. <p>Art. 2</p> <style>p {color: red}</style>", "Eticheta lipsea.\nArt. 2"),
        ("Eticheta <script> lipsea. <p>Art. 2</p> <script>var a = 1</script>", "Eticheta lipsea.\nArt. 2"),
        ("Semnul <!-- lipsea. <p>Art. 2</p> <!-- notă -->", "Semnul lipsea.\nArt. 2"),
        ("<!-- a <!-- b --> c", "a c"),
    ],
)
def test_what_is_only_mentioned_takes_nothing_with_it(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<p><![CDATA[Art. 1 Legea]]></p>", "Art. 1 Legea"),
        ("<![CDATA[<p>Art. 1</p>]]><![cdata[Art. 2]]>", "Art. 1\nArt. 2"),
        ("a[b[1]]> <![CDATA[c]]>", "a[b[1]]> c"),
        ("<noscript>Art. 1</noscript><template>Art. 2</template>", "Art. 1\nArt. 2"),
        ("<textarea>Art. 1</textarea><xmp>Art. 2</xmp>", "Art. 1\nArt. 2"),
        ("<select><option>Da<option>Nu</select>", "Da Nu"),
        ("<svg><path d='M0'/><text x='1'>Art. 1</text></svg>", "Art. 1"),
        ("<math><mi>x</mi><mo>=</mo><mn>2</mn></math>", "x=2"),
        ("<object data='a'><iframe src='b'>Art. 1</iframe></object>", "Art. 1"),
        ("<p>a</p><frameset><frame>Art. 1<noframes>Art. 2</noframes></frameset>", "a\nArt. 1\nArt. 2"),
        ("<html><head><title>T</title>Art. 1</head><body>Art. 2", "Art. 1\nArt. 2"),
        ("<title>Legea 5</title><p>Art. 1</p>", "Legea 5\nArt. 1"),
        ("<p>1<table>2<tr><td>3</table>4", "1\n2\n3\n4"),
        ("<b>Art. <i>1</b> Legea</i>", "Art. 1 Legea"),
    ],
)
def test_what_elements_hold_is_text(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<!--[if gte mso 9]><xml><w:View>Normal</w:View></xml><![endif]--><p>Art. 1</p>", "Art. 1"),
        ("<!--[if !mso]><!-->Art. 1<!--<![endif]-->", "Art. 1"),
        ("<![if !supportLists]>1.<![endif]> Art.", "1. Art."),
        ('<?xml:namespace prefix = o ns = "urn:x" /><o:p>Art. 1</o:p>', "Art. 1"),
        ('<p><st1:place w:st="on">Cluj</st1:place></p>', "Cluj"),
        ('<?xml version="1.0"?><articol nr="1"><text>Legea</text></articol>', "Legea"),
        ("<style><!-- p { color: red } --></style>Art. 1", "Art. 1"),
        ("<script>document.write('<script src=x></scr'+'ipt>')</script>Art. 1", "Art. 1"),
        ('<SCRIPT type="application/ld+json">{"a": 1}</SCRIPT >Art. 1', "Art. 1"),
        ("<!-->a<!--->b<!-- x --!>c", "abc"),
        ("<td nowrap>a<td width=10%>b", "a b"),
    ],
)
def test_what_programs_write_around_the_text_goes(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ('<a title="<b>x</b>" href="y">legea</a>', "legea"),
        ("<img alt='a > b' src=c>legea", "legea"),
        ('<p class="x>Art. 1</p><p class="y">Art. 2 "da" </p>', 'Art. 1\nArt. 2 "da"'),
        ("<p>Art. 1</p><p", "Art. 1"),
        ('<p>Art. 1</p><p class="x"', "Art. 1"),
        ('<p>Art. 1</p><p class="x Art. 2 Legea', 'Art. 1\n<p class="x Art. 2 Legea'),
        ("<p>dacă a < b și c > d</p>", "dacă a < b și c > d"),
        ("<p>dacă a <b și c> d</p>", "dacă a <b și c> d"),
        ("<p>Subsemnatul <nume prenume>, <adresa></p>", "Subsemnatul <nume prenume>, <adresa>"),
        ("<p>Ion <ion@exemplu.ro>, <https://exemplu.ro/a></p>", "Ion <ion@exemplu.ro>, <https://exemplu.ro/a>"),
        ("<p>5 <> 6</p>", "5 <> 6"),
        ("<p>&copy 2020 &#0000000000065; &#99999999999;</p>", "© 2020 A &#99999999999;"),
    ],
)
def test_a_tag_ends_where_it_ends_and_other_signs_are_text(text: str, clean: str) -> None:
    assert clean_text(text) == clean


OPENINGS = [
    "<p>", "</p>", "<br/>", '<a href="x">', "</a>", "<td nowrap>", "<style>", "<script src=a>", "<!--", "<![CDATA[",
    "<template>", "</template>", "<noscript>", "<textarea>", "</textarea>", "<xmp>", "<plaintext>", "<title>", "<head>",
    "<svg>", "<math>", "<iframe>", "<select>", "<o:p>", "<!--[if mso]>", "<![if !mso]>", "<![endif]>", "<b", "<", "&",
    "&lt;", "&amp;lt;", "<?xml", "<?xml version='1.0'?>", "<!DOCTYPE html>", "<p class=\"", "</", "<frameset>", "<x>",
    " ", "\n",
]  # fmt: skip


@given(st.lists(st.one_of(st.integers(0, 99), st.sampled_from(OPENINGS)), max_size=40))
def test_words_outside_tags_stay_in_their_order(parts: list[int | str]) -> None:
    text = "".join(f" w{part}w " if isinstance(part, int) else part for part in parts)
    left = clean_text(text)
    for word in (f"w{part}w" for part in parts if isinstance(part, int)):
        assert word in left
        left = left[left.index(word) + len(word) :]


HOSTILE: dict[str, Callable[[int], str]] = {
    "unclosed fonts": lambda n: "".join(f'<p><font color="#{i:06x}">Art. {i}' for i in range(n)),
    "depth": lambda n: "<div>" * n,
    "tables": lambda n: "<table><tr><td>" * n + "</td></tr></table>" * n,
    "misnested": lambda n: "<a><b>x</a></b>" * n,
    "comments": lambda n: "<!--" * n,
    "code": lambda n: "<p><script><style>" * n,
    "heads": lambda n: "<head><title>" * n,
    "spaced heads": lambda n: "<head> <meta>" * n,
    "cut tags": lambda n: "<p>" + "<b " * n,
    "quotes": lambda n: "<p>" + "<b a='<b ' " * n,
    "two quotes": lambda n: "<p>" + "<b a=\"<b a='" * n,
    "equals": lambda n: "<p><b " + "= " * n,
    "spaces": lambda n: "<p><b =" + " " * n + "<b =" + " " * n,
    "names": lambda n: "<p>" + "<x>" * n,
    "ampersands": lambda n: "&" * n,
    "less-thans": lambda n: "<" * n,
    "escapes": lambda n: "&" + "amp;" * n + "lt;p&gt;",
    "zeros": lambda n: "<p>&#" + "0" * n + "&#" + "0" * n,
    "digits": lambda n: "<p>&#" + "1" * n + ";",
    "declarations": lambda n: "<p>" + "<!doctype x public " * n,
    "conditions": lambda n: "<!--[if" * n,
    "marks": lambda n: "a" + "\u0301\u0316" * n,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_work_grows_with_the_text_and_not_by_its_square(name: str) -> None:
    seconds = []
    for size in (1_000, 16_000):
        text, taken = HOSTILE[name](size), []
        for _ in range(3):
            started = time.process_time()
            clean_text(text)
            taken.append(time.process_time() - started)
        seconds.append(max(min(taken), 0.0005))
    assert seconds[1] < seconds[0] * 100  # 16 times the text; its square would be 256


@pytest.mark.parametrize("name", HOSTILE)
def test_memory_is_a_small_multiple_of_the_text(name: str) -> None:
    text = HOSTILE[name](20_000)
    tracemalloc.start()
    clean_text(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * len(text) + 1_000_000
