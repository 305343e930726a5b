"""What several test files share: no network, no settings of the machine's own, and the embedded example."""

import os
from pathlib import Path

import pytest

# Before transformers is imported: what is not on this machine cannot be had, and says so at once.
os.environ["HF_HUB_OFFLINE"] = "1"
for name in [
    n for n in os.environ if n.startswith("GET_TAGS_") and not n.startswith(("GET_TAGS_TEST_"))
]:
    del os.environ[name]


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the embedded example; shared, so only read it or write under names of your own."""
    from get_tags_train.demo import write_demo

    home = tmp_path_factory.mktemp("demo") / "home"
    write_demo(home)
    return home


@pytest.fixture(scope="session")
def demo_tokenizer_folder(demo_home: Path) -> Path:
    """The example's small untrained BERT, with its tokenizer; only read it."""
    return demo_home / "demo_bert"
