"""Cleaning of a text: hostile inputs by time and memory, ordinary ones by speed and against other rules.

    python benchmarks/cleaning.py [--src ../other/src] [--memory-gb 4] [--seconds 60]   hostile inputs
    python benchmarks/cleaning.py --ordinary [--src ../other/src]                         documents of shared/data

Each hostile input is cleaned in a process of its own, which ends where it takes more than the memory or the time. The
ordinary documents are those of the data beside the checkout in shared/ and of the demo, plain and as HTML of four
kinds; with --src the other checkout cleans the same, in turn, and texts that differ are counted.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
SETS = ("law_articles_ro", "law_sections_ro", "redv2_emotions_ro", "reuters21578_modapte_en", "goemotions_en")
ROUNDS = 3
PAGE = 500

HOSTILE: dict[str, Callable[[], str]] = {
    "8,000 unclosed <p><font color>": lambda: "".join(f'<p><font color="#{i:06x}">Art. {i}' for i in range(8000)),
    "4,000 of the same (135 KB)": lambda: "".join(f'<p><font color="#{i:06x}">Art. {i}' for i in range(4000)),
    "<div> x 400,000": lambda: "<div>" * 400_000,
    "<p> x 1,000,000": lambda: "<p>" * 1_000_000,
    "20,000 nested tables": lambda: "<table><tr><td>" * 20_000 + "Art. 1" + "</td></tr></table>" * 20_000,
    "<a><b> wrongly nested x 50,000": lambda: "<a><b>x</a></b>" * 50_000,
    "<!-- x 100,000": lambda: "<!--" * 100_000,
    "<![CDATA[ x 100,000": lambda: "<![CDATA[" * 100_000,
    "<script><style> x 100,000": lambda: "<script><style>" * 100_000,
    "<head><title> x 100,000": lambda: "<head><title>" * 100_000,
    "<head> <meta> x 100,000": lambda: "<head> <meta>" * 100_000,
    "& x 1,000,000": lambda: "&" * 1_000_000,
    "< x 1,000,000": lambda: "<" * 1_000_000,
    "<b x 500,000": lambda: "<p>" + "<b " * 500_000,
    "<b a='<b ' x 100,000": lambda: "<p>" + "<b a='<b ' " * 100_000,
    "<b a=\" and ' x 100,000": lambda: "<p>" + "<b a=\"<b a='" * 100_000,
    "<b = x 500,000": lambda: "<p><b " + "= " * 500_000,
    "<x> x 300,000": lambda: "<p>" + "<x>" * 300_000,
    "&amp; amp; x 1,000,000": lambda: "&" + "amp;" * 1_000_000 + "lt;p&gt;",
    "&AMP; AMP; x 1,000,000": lambda: "&" + "AMP;" * 1_000_000,
    "&# and 1,000,000 digits": lambda: "<p>&#" + "1" * 1_000_000 + ";",
    "escaped <p> 12 deep": lambda: "&amp;" * 12 + "lt;p&gt;" * 100_000,
    "<<<b>b>b> x 10,000": lambda: "<" * 10_000 + "b>" * 10_000,
    "10 MB of one line": lambda: "Art. 1 alin. (2) ş " * 550_000,
    "10 MB of one line of HTML": lambda: "<b>Art.</b> 1&nbsp;alin. " * 400_000,
    "80,000 marks on one letter": lambda: "a" + "\u0301\u0316" * 40_000,
}


def clean_hostile(name: str) -> None:
    """Clean one input and print CPU seconds, peak memory above the start and characters left."""
    from get_tags_train.text.clean import clean_text

    text = HOSTILE[name]()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = peak_memory_mb()
    started = time.process_time()
    left = len(clean_text(text))
    seconds = time.process_time() - started
    peak_mb = peak_memory_mb() - before
    print(json.dumps({"size": len(text.encode()), "seconds": seconds, "peak_mb": peak_mb, "left": left}))


def peak_memory_mb() -> float:
    """The most memory that this process has had (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def run_hostile(source: Path, memory_gb: int, seconds: int) -> None:
    """A table of all hostile inputs."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory_gb << 30, memory_gb << 30))

    print("| input | KB | CPU seconds | peak MB | characters left |\n| --- | --- | --- | --- | --- |")
    for name in HOSTILE:
        command = [sys.executable, __file__, "--input", name]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                check=True,
                timeout=seconds,
                preexec_fn=limit,
                env={"PYTHONPATH": str(source)},
            )
            found = json.loads(done.stdout)
            size, took, peak = found["size"] / 1000, found["seconds"], found["peak_mb"]
            print(f"| `{name}` | {size:,.0f} | {took:.2f} | {peak:.0f} | {found['left']:,} |", flush=True)
        except subprocess.TimeoutExpired:
            print(f"| `{name}` | | over {seconds} | | |", flush=True)
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode().strip().splitlines()[-1:] or [f"ended by {error.returncode}"]
            print(f"| `{name}` | | fails within {memory_gb} GB: {said[0]} | | |", flush=True)


def ordinary_texts() -> Iterator[tuple[str, list[str]]]:
    """Texts by name: as they are, and as HTML."""
    import pyarrow.parquet as pq

    sys.path.insert(0, str(ROOT / "benchmarks"))
    from extraction import as_html

    from get_tags_train.demo.corpus import draw_corpus

    sets = {name: pq.read_table(DATA / name / "documents.parquet").column("text").to_pylist() for name in SETS}
    sets["legal_text_ro"] = (DATA / "legal_text_ro" / "text.txt").read_text(encoding="utf-8").split("\n\n")
    sets["demo"] = [document.text or "" for document in draw_corpus(1).documents.values()]
    for name, texts in sets.items():
        yield name, texts
        for kind, convert in {"word": as_html, "page": as_page, "table": as_table, "escaped": as_escaped}.items():
            rng = Random(1)
            yield f"{name}, {kind}", [convert(text, rng) for text in texts[:: max(1, len(texts) // 700)]]


def as_page(text: str, rng: Random) -> str:
    """A page of the web: head, style, script, comments, lists and links."""
    import html

    lines = [html.escape(line) for line in text.split("\n")]
    items = "".join(f"<li><a href='#a{n}' title=\"x > y\">{line}</a></li>\n" for n, line in enumerate(lines))
    head = (
        "<title>Pagina</title><meta charset='utf-8'><style>p > b { color: red }</style><script>var a = 1 < 2;</script>"
    )
    comment = "<!-- <p>vechi</p> -->" * rng.randint(0, 2)
    return f"<!DOCTYPE html><html><head>{head}</head><body>{comment}<h1>Titlu</h1><ul>{items}</ul><hr/></body></html>"


def as_table(text: str, rng: Random) -> str:
    """Rows of a table, some cells bold, end tags left out at times."""
    import html

    rows = []
    for line in text.split("\n"):
        words = html.escape(line).split()
        middle = rng.randint(0, len(words))
        left, right = " ".join(words[:middle]), " ".join(words[middle:])
        rows.append(f'<tr><td width="50%">{left}<td nowrap><b>{right}</b></tr>')
    return f"<table border=0><tbody>{chr(10).join(rows)}</tbody></table>"


def as_escaped(text: str, rng: Random) -> str:
    """Paragraphs escaped once more, as some editors store them."""
    import html

    return html.escape(as_html_paragraphs(text)) if rng.random() < 0.5 else as_html_paragraphs(text)


def as_html_paragraphs(text: str) -> str:
    """A paragraph a line, letters beyond ASCII as references."""
    import html

    lines = (html.escape(line).encode("ascii", "xmlcharrefreplace").decode() for line in text.split("\n"))
    return "".join(f"<p style='margin:0cm'>{line}<br></p>\r\n" for line in lines)


def run_ordinary(other: Path | None) -> None:
    """Characters a second by set, and against the other rules: the ratio of times and how many texts differ."""
    from get_tags_train.text.clean_columns import clean_documents

    for name, texts in ordinary_texts():
        pages = [[(None, text) for text in texts[n : n + PAGE]] for n in range(0, len(texts), PAGE)]
        started = time.perf_counter()
        cleaned = [text for page in pages for text in clean_documents(page).to_pylist()]
        seconds = time.perf_counter() - started
        characters = sum(map(len, texts))
        said = (
            f"{name}: {len(texts):,} texts, {characters / 1e6:.1f} M characters, {characters / seconds / 1e6:.1f} M/s"
        )
        if other:
            said += against(other, texts, cleaned)
        print(said, flush=True)


def against(other: Path, texts: list[str], cleaned: list[str]) -> str:
    """What to say of the other rules over the same texts: medians of times, taken in turn."""
    import importlib.util

    from get_tags_train.text.clean import clean_text

    spec = importlib.util.spec_from_file_location("other_clean", other / "get_tags_train" / "text" / "clean.py")
    if not (spec and spec.loader):
        sys.exit(f"{other} holds no text/clean.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    differing = [n for n, text in enumerate(texts) if module.clean_text(text) != cleaned[n]]
    sample = texts[:: max(1, len(texts) // 500)]
    ratios = [timed(clean_text, sample) / timed(module.clean_text, sample) for _ in range(ROUNDS)]
    first = f", e.g. {texts[differing[0]][:80]!r}" if differing else ""
    return f"; time {statistics.median(ratios):.2f} of the other's; {len(differing):,} texts differ{first}"


def timed(clean: Callable[[str], str], texts: list[str]) -> float:
    """CPU seconds of cleaning these."""
    started = time.process_time()
    for text in texts:
        clean(text)
    return time.process_time() - started


def main() -> None:
    """Run the one or the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path)
    parser.add_argument("--ordinary", action="store_true")
    parser.add_argument("--memory-gb", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--input", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.input:
        clean_hostile(args.input)
    elif args.ordinary:
        run_ordinary(args.src)
    else:
        run_hostile((args.src or ROOT / "src").resolve(), args.memory_gb, args.seconds)


if __name__ == "__main__":
    main()
