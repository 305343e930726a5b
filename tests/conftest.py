"""What several test files share: no network, no settings of the machine's own, and the embedded example."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A machine that does other work is slow now and then; that is no fault of what is tested.
settings.register_profile("noisy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("noisy")

# Before transformers is imported: what is not on this machine cannot be had, and says so at once.
os.environ["HF_HUB_OFFLINE"] = "1"
# A report opens in the browser of whoever sits before the machine, not while tests run.
os.environ["SSH_CONNECTION"] = "tests"
# Tiny models gain nothing from more threads, and lose much where tests share the machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
for name in [n for n in os.environ if n.startswith("GET_TAGS_") and not n.startswith("GET_TAGS_TEST_")]:
    del os.environ[name]
# The tests read English; those of Romanian say so.
for name in ("LANGUAGE", "LC_MESSAGES"):
    os.environ.pop(name, None)
os.environ["LC_ALL"] = "C.UTF-8"


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Type keys ahead of what runs, through a pipe, for the real prompts."""
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    monkeypatch.setattr("get_tags_train.cli.prompts.can_ask", lambda: True)
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe.send_text


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the embedded example; shared, so only read it or write under names of your own."""
    from get_tags_train.demo.write import write_demo

    home = tmp_path_factory.mktemp("demo") / "home"
    write_demo(home)
    return home


@pytest.fixture(scope="session")
def demo_tokenizer_folder(demo_home: Path) -> Path:
    """The example's small BERT, with its tokenizer; only read it."""
    return demo_home / "demo_bert"


@pytest.fixture(scope="session")
def small_home(tmp_path_factory: pytest.TempPathFactory, demo_home: Path) -> Path:
    """A home with 60 documents of the example as tags_v1 and a model of them, tags_v1-...; only read it."""
    import numpy as np
    from databases import prepare_small, settings_for, silent

    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.evaluation import report
    from get_tags_train.text.tokenizer import load_tokenizer
    from get_tags_train.training.train import train

    home = tmp_path_factory.mktemp("small") / "home"
    data = PreparedData(prepare_small(home, demo_home, demo_home / "demo_bert"))
    base_model = str(demo_home / "demo_bert")
    settings = settings_for(home, training={"base_model": base_model, "epochs": 1, "context_length": 48})
    left_out = np.zeros(data.manifest.documents_kept, bool)
    tokenizer = load_tokenizer(base_model)
    report.write_pages(train(settings, data, left_out, tokenizer=tokenizer, device="cpu", on_event=silent).folder)
    return home


@pytest.fixture(scope="session")
def blended_model(small_home: Path, tmp_path_factory: pytest.TempPathFactory, demo_home: Path) -> Path:
    """A model with a second reader, of the documents of small_home, every third for validation; only read it."""
    import numpy as np
    from databases import settings_for, silent

    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.text.tokenizer import load_tokenizer
    from get_tags_train.training.train import train

    data = PreparedData(small_home / "_cache" / "_data" / "tags_v1")
    base_model = str(demo_home / "demo_bert")
    training = {"base_model": base_model, "epochs": 1, "context_length": 24, "blend": True}
    settings = settings_for(tmp_path_factory.mktemp("blended"), training=training)
    validation = np.arange(data.manifest.documents_kept) % 3 == 0
    options = {"tokenizer": load_tokenizer(base_model), "device": "cpu", "on_event": silent, "validation": validation}
    return train(settings, data, np.zeros_like(validation), **options).folder


@pytest.fixture(scope="session")
def small_model(small_home: Path) -> Path:
    """The model of small_home; only read it."""
    (folder,) = (small_home / "_models").iterdir()
    return folder


@pytest.fixture(scope="session")
def drift_home(tmp_path_factory: pytest.TempPathFactory, demo_home: Path) -> Path:
    """A home with a live model of the first 300 documents of the example, half held out, and 120 newer; copy it."""
    import shutil

    from databases import settings_for, silent
    from sqlalchemy import create_engine

    from get_tags_train import pipeline
    from get_tags_train.core.settings import Source

    home = tmp_path_factory.mktemp("drift") / "home"
    home.mkdir()
    shutil.copy(demo_home / "demo.db", home)
    engine = create_engine(f"sqlite:///{home / 'demo.db'}")
    with engine.begin() as connection:
        ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM documents ORDER BY id LIMIT 420")]
        connection.exec_driver_sql(f"DELETE FROM documents WHERE id > {ids[-1]}")
    engine.dispose()
    (home / "ids.csv").write_text("\n".join(map(str, ids[:300])), encoding="utf-8")
    settings = settings_for(
        home,
        url="sqlite:///demo.db",
        source=Source("ids", home / "ids.csv"),
        training={"base_model": str(demo_home / "demo_bert"), "epochs": 1, "context_length": 24, "blend": True},
        evaluation={"held_out": 0.5, "baseline": False},
    )
    pipeline.run(settings, silent, lambda _: True)
    return home
