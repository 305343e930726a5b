"""Clean text: HTML, spelling and spacing leave no trace, and what is no HTML stays."""

import re
import time
import tracemalloc
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from get_tags_train.text.clean import clean_text, join_title, text_hash
from get_tags_train.text.tags import normalise_tag

PIECES = [
    "<p>", "</p>", "<b>", "</b>", "<br/>", "<td>", "</td>", "<script>", "</script>", "<style>", "<title>",
    "<head>", "<template>", "<textarea>", "<!--", "-->", "<!doctype", "<", ">", "&", "amp;", "&amp;", "&AMP;",
    "&lt;", "&gt;", "&#60;", "&#38;", "#x26;", "&nbsp;", "&#x1f;", "&#0;", "&#xD800;", "&notit;", "&icirc;",
    "<![CDATA[", "]]>", "<y>", "</y>", "<?xml", "?>", "<![if", "<p class=\"", "<noscript>", "<svg>",
    "a", "B", "5", "p", "ş", "Ţ", "ș", "s\u0327", "\u0327", "\u0326", "\u0301",
    "\u0958", "'", "\"", "=", "/", " ", "\n", "\r\n", "\t", "\x0c", "\x1c", "\x85", "\xa0", "\x00", "\xad",
    "\u200b", "\u2028", "\ud800",
]  # fmt: skip
markup_like = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
any_text = st.one_of(markup_like, st.text(), st.text(st.characters()))


@given(any_text)
@example("&" + "AMP;" * 12)
@example("&amp;" * 12 + "lt;p&gt;")
@example("<" * 12 + "b>" * 12)
@example("<p>" + "<title><textarea>" * 12 + "</p>")
@example("&amp;lt;p&amp;gt;")
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)


@given(any_text)
@example("ş\u0327\u0327")
@example("ţ\u0334\u0327")
def test_clean_text_is_composed(text: str) -> None:
    assert unicodedata.is_normalized("NFC", clean_text(text))


MARKS = "\u0301\u0316\u0334\u0344\u0345\u0591\u0f73\u0f75\u0f81\u3099"  # sorted differently, or made of others


@pytest.mark.parametrize("count", [1, 199, 200, 201, 1000])
@pytest.mark.parametrize("base", ["a", "é", "e\u0323 a", "й", "\u1100\u1161", "漢漢", ""])
def test_no_number_of_marks_on_a_letter_is_too_many(base: str, count: int) -> None:
    text = f"unu {base}{(MARKS * count)[:count]}ă doi"
    assert clean_text(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("marks", ["\u0301\u0316", "\u0f73", "\u0327\u0301\u0326"])
def test_many_marks_are_composed_in_time(marks: str) -> None:
    """By the square of their number it would take hours."""
    text = clean_text("a" + marks * 100_000)
    assert unicodedata.is_normalized("NFC", text)
    assert len(text) >= 100_000 * len(marks) - 1


@given(any_text)
def test_clean_text_has_no_cedilla_letters(text: str) -> None:
    assert not set("şţŞŢ") & set(clean_text(text))


@given(any_text)
def test_clean_text_has_no_control_format_or_surrogate_characters(text: str) -> None:
    letters = set(clean_text(text)) - {"\n"}
    assert not [ascii(letter) for letter in letters if unicodedata.category(letter) in ("Cc", "Cf", "Cs")]


@given(any_text)
def test_white_space_is_single_and_never_at_an_edge(text: str) -> None:
    for line in clean_text(text).split("\n") if clean_text(text) else []:
        assert line == " ".join(line.split()) != ""


@given(any_text)
def test_clean_text_has_no_known_markup(text: str) -> None:
    assert not re.search(r"</?(p|b|br|td|script|style|title|head|template)\s*/?>|<!--[^<>]*>", clean_text(text), re.I)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("jude<b>că</b>tor", "judecător"),
        ("<span>ab</span><i>c</i>", "abc"),
        ("<p>unu</p><p>doi</p>", "unu\ndoi"),
        ("unu<br>doi<br/>trei", "unu\ndoi\ntrei"),
        ("<ul><li>unu</li><li>doi</li></ul>", "unu\ndoi"),
        ("<div>unu<div>doi</div>trei</div>", "unu\ndoi\ntrei"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><th>3</th><td>4</td></tr></table>", "1 2\n3 4"),
        ("<P CLASS='x'>mare</P>", "mare"),
        ('<a href="a?b=1&c=2" title="x > y">legea</a>', "legea"),
        ("<html><head><title>T</title></head><body>corp</body></html>", "corp"),
        ("<!DOCTYPE html><p>corp</p>", "corp"),
        ("unu<!-- nu -->doi", "unudoi"),
        ("a<script>alert('x < y')</script>b<style>p > b {}</style>", "ab"),
        ("<o:p>Word</o:p>", "Word"),
    ],
)
def test_html_goes_and_its_text_stays(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Eticheta <style> lipsea.\nArt. 2 Prezenta lege", "Eticheta lipsea.\nArt. 2 Prezenta lege"),
        ("Eticheta <script> lipsea.\nArt. 2", "Eticheta lipsea.\nArt. 2"),
        ("<p>Semnul <!-- începe un comentariu.</p><p>Art. 2</p>", "Semnul începe un comentariu.\nArt. 2"),
        ("<p>unu<template>doi</p>", "unu\ndoi"),
        ("<p>unu <noscript>doi", "unu\ndoi"),
        ("<p>În <head> se scrie titlul.</p><p>Art. 2 </head></p>", "În se scrie titlul.\nArt. 2"),
        ("<head>Art. 1", "Art. 1"),
        ("<p><![CDATA[Art. 1 Legea]]></p>", "Art. 1 Legea"),
        ("<p><![CDATA[Art. 1 Legea</p>", "Art. 1 Legea"),
        ("<p>unu]]> doi --> trei</p>", "unu]]> doi --> trei"),
        ("<p>Art. 1</p><a href='act.html>Art. 2</a><p>Art. 3</p>", "Art. 1\nArt. 2\nArt. 3"),
        ('<p>Art. 1 <a href="act.html\nArt. 2', 'Art. 1 <a href="act.html\nArt. 2'),
        ("<p>Art. 1 <!atenție\nArt. 2", "Art. 1 <!atenție\nArt. 2"),
        ("<p>Vezi <!DOCTYPE\nArt. 2", "Vezi <!DOCTYPE\nArt. 2"),
        ("<p>unu<!-->doi<!--->trei</p>", "unudoitrei"),
        ("<p>q ≤ 420 MJ/mp<br>420 &lt;q ≤ 840 sau > 12 m<br>doi</p>", "q ≤ 420 MJ/mp\n420 <q ≤ 840 sau > 12 m\ndoi"),
        ("<p>a<b, c> d; if (a<x && q>r); <ion@x.ro></p>", "a<b, c> d; if (a<x && q>r); <ion@x.ro>"),
    ],
)
def test_what_is_never_closed_takes_no_text_with_it(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<!--[if gte mso 9]><xml><w:x>9</w:x></xml><![endif]--><p>Word</p>", "Word"),
        ("<style>p > b {} /* <p> */</style><p>unu</p>", "unu"),
        ("<script>if (a < b) document.write('<p>nu</p>')</script>unu", "unu"),
        ("<p>unu<STYLE type='text/css'>x</Style >doi</p>", "unudoi"),
        ("<TD NOWRAP>unu</TD><td align = right >doi</td><hr noshade /><p class=MsoNormal/>trei", "unu doi\ntrei"),
        ("<p\nclass='x'\n>unu</p\n>doi<a href=x title='a > b'>c</a>", "unu\ndoic"),
        ("<?xml version='1.0'?><html lang='ro'><head><meta x><title>T</title></head><p>corp", "corp"),
        ("<p>art.&nbsp5 &copy 2020 &#00000351;i &#x000219;i &#99999999999;</p>", "art. 5 © 2020 și și &#99999999999;"),
        ("<p>" + "&#" + "9" * 5000 + ";</p>", "&#" + "9" * 5000 + ";"),
    ],
)
def test_html_as_browsers_read_it(text: str, clean: str) -> None:
    assert clean_text(text) == clean


FONTS = "".join(f'<p><font color="#{number:06x}">Art. {number}' for number in range(8000))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FONTS, 16_000),
        ("<div>" * 100_000 + "Art. 1", 2),
        ("<b>" * 40_000 + "Art. 1" + "</i>" * 40_000, 2),
        ("<a " * 40_000 + "<p>Art. 1", 40_002),
        ("<style>" * 30_000 + "Art. 1", 2),
        ("<!--" * 30_000 + "<p>Art. 1", 2),
        ("<table><td>" * 30_000 + "Art. 1", 2),
        ('<p title="' * 30_000 + "Art. 1", 30_002),
        ("<p>" + "&amp;" * 50_000 + "lt;Art. 1", 2),
    ],
    ids=["fonts", "divs", "misnested", "unclosed", "styles", "comments", "tables", "quotes", "ampersands"],
)
def test_time_and_memory_grow_with_the_text_alone(text: str, words: int) -> None:
    tracemalloc.start()
    started = time.process_time()
    clean = clean_text(text)
    seconds, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "Art. 1" in clean
    assert len(clean.split()) == words
    assert seconds < 20
    assert peak < 100 * len(text)  # a parser's tree of the first took 40,000 bytes a character


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("art.&nbsp;5 &icirc;n &#537;i &#x21B;", "art. 5 în și ț"),
        ("5 &lt; 6", "5 < 6"),
        ("a &amp; b", "a & b"),
        ("&lt;p&gt;escaped&lt;/p&gt;", "escaped"),
        ("&amp;lt;p&amp;gt;escaped twice", "escaped twice"),
        ("&amp;amp;", "&"),
    ],
)
def test_entities_become_letters(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@pytest.mark.parametrize("text", ["5 < 6 & 7", "a<b c", "x <y> z", "if (a<x && q>r)", "R&D", "&copy", "<", "a < b > c"])
def test_what_is_no_html_is_kept(text: str) -> None:
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  unu \t\r\n\r\n doi\xa0\u2003trei ", "unu\ndoi trei"),
        ("ju\xaddecă\u200btor\ufeff", "judecător"),
        ("a\x00b\x07c", "abc"),
        ("s\u0327i t\u0327ara a\u0306 Ş Ţ", "și țara ă Ș Ț"),
        (None, ""),
        ("", ""),
        (" \n ", ""),
        ("<p>&nbsp;</p>", ""),
    ],
)
def test_spacing_and_spelling_are_made_one(text: str | None, clean: str) -> None:
    assert clean_text(text) == clean


@given(markup_like, st.lists(st.sampled_from([" ", "\n", "\t", "\xa0", "  "]), min_size=1))
def test_the_hash_is_equal_under_another_spacing(text: str, spaces: list[str]) -> None:
    words = clean_text(text).split()
    respaced = "".join(word + spaces[at % len(spaces)] for at, word in enumerate(words))
    assert text_hash(respaced) == text_hash(clean_text(text))


def test_the_hash_tells_other_words_and_other_word_limits_apart() -> None:
    assert len({text_hash(text) for text in ("a b", "ab", "b a", "a", "")}) == 5
    assert len(text_hash("a")) == 16


@pytest.mark.parametrize(
    "spelling",
    [
        "Drept și procedură",
        " Drept  şi\nprocedură ",
        "Drept s\u0327i procedura\u0306",
        "Drept &#537;i <b>procedură</b>",
    ],
)
def test_spellings_of_a_tag_are_merged(spelling: str) -> None:
    assert normalise_tag(spelling) == "Drept și procedură"


def test_a_tag_keeps_its_case_and_an_absent_one_is_empty() -> None:
    assert [normalise_tag(tag) for tag in ("TVA", "tva", None, " ")] == ["TVA", "tva", "", ""]


@pytest.mark.parametrize(
    ("title", "text", "joined"),
    [
        ("<b>Titlu</b>", "<p>Text</p>", "Titlu\nText"),
        (None, "Text", "Text"),
        ("&nbsp;", "Text", "Text"),
        ("Titlu", None, "Titlu"),
        (None, None, ""),
    ],
)
def test_a_title_stands_on_the_line_before_the_text(title: str | None, text: str | None, joined: str) -> None:
    assert join_title(title, text) == joined
