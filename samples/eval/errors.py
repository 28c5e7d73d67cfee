"""What can go wrong in a way that a person can do something about: one sentence, and its exit status."""

USAGE, FAILED_VERDICT, INCOMPLETE, BROKEN = 2, 1, 3, 4   # exit statuses; 0 = everything ran and every verdict holds


class EvalError(Exception):
    """The evaluation cannot start or go on. `status` is the program's exit status."""

    def __init__(self, sentence, status=BROKEN):
        super().__init__(sentence)
        self.status = status


class RunFailed(Exception):
    """One run of one configuration came to nothing; the others go on, and the report says which row is missing."""
