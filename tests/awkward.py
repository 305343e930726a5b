"""Awkward files by the thousand: a home whose every file can be exchanged for a worse one, and what reads it then."""

import contextlib
import io
import json
import os
import random
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import get_tags_train.core.logs  # noqa: F401  some error messages need it, and nobody may not read Python's own files
from get_tags_train.core.errors import GetTagsError

FAULT = "Internal error"
SECONDS = 30
DATA, PARTIAL = "_cache/_data/tags_v1", "_cache/_data/tags_v2.partial"
MODEL, OLDER = "_models/tags_v1-20260101-000000", "_models/tags_v1-20251231-000000"
LIVE, LAST_SOURCE = f"_live/versions/{Path(MODEL).name}", "_cache/last_source.json"
CHECKPOINT = "_models/tags_v1-20260102-000000.partial/checkpoints/checkpoint-000000003"
CSV_TEXT = 'id;text;labels\n1;Contract de vânzare;a;b\n2;"Hotărâre, nr. 2\nşi ţară";b|c\n'
WORDS: list[Any] = [
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    float("nan"),
    "",
    "..",
    "../../../outside",
    "C:\\Windows",
    "a\0b",
    "\ud800",
    "é" * 300,
    [],
    {},
    [[]],
    {"": None},
    ["a"] * 3,
    {"auto_map": {"AutoConfig": "evil--x.Y"}},
    "=1+1",
    "<script>",
    [1.5],
    "NaN",
]


class Outcome(NamedTuple):
    """What came of one awkward file: `defect` is empty where it was read or refused as it should be."""

    refused: bool
    defect: str


class Target(NamedTuple):
    """A file of the home and what reads it; `fix` makes the rest agree with what was changed, as a forger would."""

    path: str
    read: Callable[[Path], object]
    fix: Callable[[Path], None] | None = None
    why: str = ""

    @property
    def name(self) -> str:
        notes = [self.why, "checksums made to agree" if self.fix else ""]
        return " ".join([self.path, *(f"({note})" for note in notes if note)])


def commands(*lines: Sequence[str]) -> Callable[[Path], object]:
    """A reader that runs these command lines on the home, in this process. Raises AssertionError at a fault."""

    def run(home: Path) -> None:
        from get_tags_train.cli.main import app

        codes = []
        for line in lines:
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    app(args=[*(part.replace("HOME", str(home)) for part in line), "--home", str(home)])
                except SystemExit as end:
                    codes.append(end.code)
            if codes[-1] not in (0, 1, 2) or FAULT in err.getvalue() or "Traceback" in err.getvalue():
                log = "".join(path.read_text(encoding="utf-8") for path in (home / "_logs").glob("*-error.log"))
                raise AssertionError(f"{' '.join(line)}: {codes[-1]} {err.getvalue()[-300:]} {log[-1500:]}")
        if any(codes):
            raise GetTagsError("refused")

    return run


def with_live(name: str, read: Callable[[Path], object]) -> Callable[[Path], object]:
    """The reader, on a home where this version is live, whatever the file before it has led to."""

    def run(home: Path) -> None:
        (home / "_live" / "current").write_text(name, encoding="utf-8")
        read(home)

    return run


def awkward(good: bytes, chance: random.Random) -> bytes:
    """The content of a good file made worse in one of many ways."""
    ways: list[Callable[[], bytes]] = [
        lambda: good[: chance.randrange(len(good) + 1)],
        lambda: _flipped(good, chance, 1),
        lambda: _flipped(good, chance, 20),
        lambda: good + chance.randbytes(chance.choice((1, 100, 10_000))),
        lambda: chance.randbytes(chance.choice((0, 1, 2, 3, 50, 5_000))),
        lambda: _put(
            good,
            chance,
            chance.choice((b"\0", b"\0" * 1000, b'"', b"'''", b"\r", b"\x85", b"\xff\xfe", b"\xef\xbb\xbf")),
        ),
        lambda: _put(
            good, chance, chance.choice((b";;;;", b",\t;", b"\n\n\n", b"[" * 3000, b"{" * 3000, b'{"a":' * 3000))
        ),
        lambda: _put(good, chance, b"x" * 300_000),
        lambda: good * chance.choice((0, 2, 3)),
        lambda: good.decode("utf-8", "replace").encode(
            chance.choice(("utf-16", "utf-16-be", "utf-32", "utf-7", "cp037")), "replace"
        ),
        lambda: good.decode("utf-8", "replace").encode(
            chance.choice(("cp1250", "cp852", "latin-1", "ascii")), "replace"
        ),
        lambda: good.replace(
            *chance.choice(((b";", b","), (b",", b"\t"), (b"\n", b"\r"), (b"\n", b" "), (b'"', b"'"), (b" ", b"\xa0")))
        ),
        lambda: b"".join(chance.sample(lines := good.splitlines(keepends=True), len(lines))),
        lambda: _shuffled_json(good, chance),
        lambda: _shuffled_json(good, chance),
        lambda: _shuffled_json(good, chance),
    ]
    return chance.choice(ways)()


def _flipped(good: bytes, chance: random.Random, count: int) -> bytes:
    changed = bytearray(good)
    for _ in range(count if changed else 0):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _put(good: bytes, chance: random.Random, what: bytes) -> bytes:
    place = chance.randrange(len(good) + 1)
    return good[:place] + what + good[place:]


def _shuffled_json(good: bytes, chance: random.Random) -> bytes:
    """A JSON file, or a line of one, with one value exchanged or left out; any other file with a word added."""
    word = chance.choice(WORDS)
    lines = good.splitlines(keepends=True)
    if len(lines) > 1 and all(line.startswith(b"{") for line in lines):
        place = chance.randrange(len(lines))
        lines[place] = _shuffled_json(lines[place], chance) + b"\n"
        return b"".join(lines)
    try:
        value = json.loads(good)
    except ValueError:
        return _put(good, chance, str(word).encode("utf-8", "surrogatepass"))
    if chance.random() < 0.05:
        return json.dumps(word).encode()
    holder = value
    while True:
        if not isinstance(holder, dict | list) or not holder:
            return json.dumps(word).encode()
        key: Any = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
        inner = holder[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.7:
            holder = inner
            continue
        if chance.random() < 0.25:
            del holder[key]
        else:
            holder[key] = word
        return json.dumps(value).encode()


def places(path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Things that are no file where one should be: a name and what puts each there."""
    yield "missing", lambda: None
    yield "a folder", path.mkdir
    yield "a link to nowhere", lambda: path.symlink_to("nowhere")
    yield "a link to itself", lambda: path.symlink_to(path.name)
    yield "5 GB of nothing", lambda: _sparse(path)
    yield "forbidden", lambda: path.touch(mode=0)


def _sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(5 * 10**9)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """As a user without rights, where the tests run as root, whom no file is forbidden."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def attempt(target: Target, home: Path) -> Outcome:
    """Read the home as it is now: a defect is anything but a result or a GetTagsError, within the time allowed."""

    def too_long(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        target.read(home)
    except GetTagsError:
        return Outcome(True, "")
    except OSError as error:
        if error.filename:  # which file, and why not: so the commands say it too
            return Outcome(True, "")
        return Outcome(False, f"OSError without a file: {error}")
    except BaseException as error:  # noqa: BLE001  the point is to find what nobody thought of
        where = traceback.extract_tb(error.__traceback__)[-1]
        return Outcome(
            False, f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {str(error)[:1500]}"
        )
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return Outcome(False, "")


def trials(target: Target, home: Path, numbers: range) -> Iterator[tuple[str, Outcome]]:
    """Exchange the target's file for the awkward ones of these numbers, one after the other, and read each time."""
    path = home / target.path
    good = path.read_bytes()
    if defect := attempt(target, home).defect:  # also loads what reading takes, while root may
        raise AssertionError(f"{target.name}: the good file is not read: {defect}")
    special = list(places(path)) if numbers.start == 0 and target.fix is None else []
    for name, put in special:
        path.unlink()
        put()
        with as_nobody() if name == "forbidden" else contextlib.nullcontext():
            outcome = attempt(target, home)
        yield name, outcome
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        path.write_bytes(good)
    for number in numbers:
        path.write_bytes(awkward(good, random.Random(f"{target.path} {number}")))
        with contextlib.ExitStack() as undo:
            if target.fix is not None:
                manifest = home / DATA / "manifest.json"
                undo.callback(manifest.write_bytes, manifest.read_bytes())
                target.fix(home)
            yield str(number), attempt(target, home)
        path.write_bytes(good)


def make_home(home: Path, small_home: Path) -> None:
    """A home with one of everything: data, two models of which one is live, unfinished extraction and training."""
    import numpy as np
    import torch
    from databases import silent
    from table_files import write_sheet

    from get_tags_train.core.files import write_json
    from get_tags_train.demo import write
    from get_tags_train.deployment.deploy import deploy
    from get_tags_train.evaluation import evaluate, report
    from get_tags_train.splits.eval_set import HELD_OUT, EvalSet
    from get_tags_train.training.checkpoints import Checkpoints, Progress

    shutil.copytree(small_home / "_cache" / "_data", home / "_cache" / "_data")
    (model,) = (path for path in (small_home / "_models").iterdir() if path.is_dir())
    shutil.copytree(model, home / MODEL)
    np.save(home / MODEL / "trained_texts.npy", np.arange(3, dtype=np.uint64))
    for name, text in {
        "ids.csv": "id\n1\n2\n3\n",
        "test_samples_tags.csv": 'text;labels\nUn text;a|b\n"Alt text; cu semne\nși rânduri";["a", "ș"]\n',
        "test_samples_tags_origins.csv": "text_hash,id,part,since\nabc,1,random,2026-01-01\n",
        "tags_map.csv": "tag;becomes\nb;c\nc;d\ne;\n",
        "held_out.csv": "id,part,since,data,text\n1,select,2026-01-01,tags_v1,Un text\n"
        "2,report,2026-01-01,tags_v1,Altul\n",
        "get-tags.toml": '[database]\nurl = "sqlite:///demo.db"\n[training]\nepochs = 3\n'
        '[deploy]\nlive_dir = "_live"\n',
        "in.txt": "Textul documentului\n",
        "in.csv": CSV_TEXT.replace("a;b", "a").replace("b|c", "b"),
        "in.tsv": "id\ttext\n1\tUn text\n2\tAltul\n",
        "in.json": '[{"id": 1, "text": "unu"},\n"doi",\n{"text": "trei", "title": null}]\n',
        "in.jsonl": '{"id": 1, "text": "unu"}\n"doi"\n{"text": "trei", "title": null}\n',
    }.items():
        (home / name).write_text(text, encoding="utf-8")
    for name, row in {"ids.xlsx": ["1"], "test_samples.xlsx": ["Un text", "a|b"], "in.xlsx": ["Un text", "1"]}.items():
        header = {"ids.xlsx": ["id"], "test_samples.xlsx": ["text", "labels"], "in.xlsx": ["text", "id"]}[name]
        write_sheet(home / name, [header, row, [7.0, "b"][: len(row)]])
    write_json(home / LAST_SOURCE, {"kind": "ids", "ids_path": str(home / "ids.csv"), "data_name": None})
    write_json(home / write.LIST_FILE, {"seed": 1, "files": []})
    write_json(home / PARTIAL / "plan.json", {"kind": "database", "database": "sqlite:///demo.db"})
    write_json(home / PARTIAL / "piece-00000.json", {"start": 0, "stop": 10, "documents": 10, "seconds": {}})
    (home / PARTIAL / "piece-00000.arrow").write_bytes(b"")
    _write_ids(home / PARTIAL / "ids.arrow")
    for step in (1, 3):
        Checkpoints((home / CHECKPOINT).parent, "run", keep=2).save(
            Progress(step=step), {"w": torch.ones(3)}, {"m": torch.ones(3)}
        )
    write_json((home / CHECKPOINT).parents[1] / "plan.json", {"data": "x", "settings": {"epochs": 3}})
    shutil.copytree(home / MODEL, home / OLDER)
    facts = json.loads((home / OLDER / "get_tags.json").read_bytes())
    facts["files"].popitem()  # so that it is another model
    write_json(home / OLDER / "get_tags.json", facts)
    tags = [entry["tag"] for entry in facts["tags"]]
    test_set = EvalSet.of_documents(
        HELD_OUT, [f"Textul {n}" for n in range(9)], [[tags[n % len(tags)]] for n in range(9)]
    )
    deploy(home / OLDER, home / "_live", keep_versions=2, on_event=silent)
    for live in (None, home / OLDER):
        references = evaluate.References(live=live)
        found = evaluate.evaluate(home / MODEL, test_set, top_k=2, device="cpu", on_event=silent, references=references)
        report.record(home / MODEL, found, silent)
    deploy(home / MODEL, home / "_live", keep_versions=2, on_event=silent)


def _write_ids(path: Path) -> None:
    import pyarrow as pa

    schema = pa.schema([("id", pa.int64())], metadata={"facts": '{"missing": 0}'})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(pa.record_batch([pa.array(range(10), pa.int64())], schema=schema))


def forged(name: str) -> Callable[[Path], None]:
    """What puts the sizes and checksums of a changed file of the data into their manifest."""

    def fix(home: Path) -> None:
        from get_tags_train.core.files import file_sha256

        path = home / DATA / name
        manifest = json.loads((home / DATA / "manifest.json").read_bytes())
        manifest["files"][name] = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        (home / DATA / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    return fix


def targets() -> list[Target]:
    """Every file that is read, with what reads it."""
    from get_tags_train.cli import wizard
    from get_tags_train.core.config import load_settings
    from get_tags_train.data import input_files
    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.demo import write
    from get_tags_train.evaluation import report
    from get_tags_train.model import training_record
    from get_tags_train.serving.text_files import Texts
    from get_tags_train.splits import held_out, test_samples
    from get_tags_train.training.checkpoints import Checkpoints

    data = commands(
        ["data"], ["data", "show", "tags_v1"], ["data", "verify", "tags_v1"], ["data", "diff", "tags_v1", "tags_v1"]
    )
    model, older = Path(MODEL).name, Path(OLDER).name
    shown = [["models", word, model] for word in ("show", "verify")]
    facts = with_live(older, commands(["models"], *shown, ["deploy", model, "--yes"]))
    loads = commands(["predict", "un text", "--model", f"HOME/{MODEL}"], ["models", "verify"])
    live = commands(["models"], ["history"], ["predict", "un text"], ["rollback"], ["deploy", "--yes"])
    compared = with_live(model, commands(["models", "show", "live"], ["history"], ["evaluate", older]))

    def resumed(home: Path) -> None:
        from get_tags_train.maintenance.inventory import unfinished_work
        from get_tags_train.maintenance.retention import find_unneeded

        for work in [*unfinished_work(home, home / "_cache" / "_data"), *unfinished_work(home, home / "_models")]:
            work.read_so_far()
        find_unneeded(home, home / "_live")

    def newest(home: Path) -> object:
        return Checkpoints((home / CHECKPOINT).parent, "run", keep=2).newest()

    return [
        Target("ids.csv", lambda home: input_files.read_ids(home / "ids.csv")),
        Target("test_samples_tags.csv", lambda home: test_samples.Samples.read(home / "test_samples_tags.csv")),
        Target("test_samples_tags_origins.csv", lambda home: test_samples.read_origins(home / "test_samples_tags.csv")),
        Target("tags_map.csv", lambda home: input_files.read_tags_map(home / "tags_map.csv")),
        Target("held_out.csv", lambda home: held_out.held_out_in(home, PreparedData(home / DATA))),
        Target("get-tags.toml", lambda home: load_settings(home, environ={})),
        *(
            Target(name, lambda home, name=name: [*Texts.of_file(home / name)])
            for name in ("in.txt", "in.csv", "in.tsv", "in.xlsx", "in.json", "in.jsonl")
        ),
        Target("ids.xlsx", lambda home: input_files.read_ids(home / "ids.xlsx")),
        Target("test_samples.xlsx", lambda home: test_samples.Samples.read(home / "test_samples.xlsx")),
        *(
            Target(name, commands(["predict", "--file", f"HOME/{name}", "--out", "HOME/out.csv"]), why="predict")
            for name in ("in.txt", "in.csv", "in.jsonl")
        ),
        Target(LAST_SOURCE, wizard.remembered),
        Target(write.LIST_FILE, commands(["demo"])),
        Target(f"{DATA}/manifest.json", data),
        Target(f"{DATA}/tags.json", data),
        Target(f"{DATA}/tags.json", data, forged("tags.json")),
        Target(f"{DATA}/documents-00000.arrow", data),
        Target(f"{DATA}/documents-00000.arrow", data, forged("documents-00000.arrow")),
        *(Target(f"{PARTIAL}/{name}", resumed) for name in ("plan.json", "ids.arrow", "piece-00000.json")),
        Target(f"{MODEL}/get_tags.json", facts),
        *(
            Target(f"{MODEL}/{n}", loads)
            for n in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
        ),
        Target(f"{MODEL}/trained_texts.npy", lambda home: training_record.was_trained_on(home / MODEL, ["un text"])),
        *(Target(f"{CHECKPOINT}/{name}", newest) for name in ("state.json", "weights.safetensors")),
        Target(f"{MODEL}/get_tags.json", lambda home: report.write_pages(home / MODEL), why="report"),
        Target(f"{LIVE}/get_tags.json", compared),
        Target("_live/current", live),
        Target("_live/current", commands(["doctor"]), why="doctor"),
        Target("_live/history.jsonl", live),
    ]


def strays(root: Path, home: Path) -> list[str]:
    """What stands outside the home, where nothing should."""
    return sorted(str(path) for path in root.iterdir() if path != home)


if os.name == "nt":
    sys.exit("this needs signals and permissions as Linux has them")
