"""`python -m get_tags_train` is `get-tags`."""

from get_tags_train.cli import app

if __name__ == "__main__":
    app()
