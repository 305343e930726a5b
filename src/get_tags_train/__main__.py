"""`python -m get_tags_train` is `get-tags`."""

from get_tags_train.cli.main import app

if __name__ == "__main__":
    app()
