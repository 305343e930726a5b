"""What can go wrong, in words for the people who will read them."""


class GetTagsError(Exception):
    """The job failed; `message` says what and where, `hint` says what to do."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(GetTagsError):
    """The user's own input (flags, settings, files) is wrong; nothing has been started."""

    exit_code = 2


class NothingToTrainOn(InputError):
    """What was extracted holds no document with text and tags: there is nothing worth keeping."""


class NotDeployed(GetTagsError):
    """A model is there, but too much speaks against putting it live unasked."""

    exit_code = 3


class InterruptedByUser(GetTagsError):
    """Somebody pressed Ctrl-C."""

    exit_code = 130


class TrainingInterrupted(InterruptedByUser):
    """Somebody ended a training, which can be continued on the same data, `data_name`."""

    def __init__(self, message: str, data_name: str) -> None:
        super().__init__(message)
        self.data_name = data_name
