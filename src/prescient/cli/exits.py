"""How commands end: the exit codes by their short names, and the error that ends one with a code of its own."""

from __future__ import annotations

from polymarket_kit.errors import ExitCode, PrescientError

FAILURE, USAGE = ExitCode.FAILURE, ExitCode.USAGE
NOT_RUNNING, REFUSED = ExitCode.NOT_RUNNING, ExitCode.REFUSED


class CommandFailed(PrescientError):
    """A command ends here, with its own exit code."""

    code = "command_failed"

    def __init__(self, message: str, exit_code: ExitCode = FAILURE) -> None:
        super().__init__(message)
        self.exit_code = exit_code
