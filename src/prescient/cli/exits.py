"""The exit codes of every command, stable for scripts (docs/cli.md), and which error leads to which."""

from __future__ import annotations

from polymarket_kit.errors import InvalidRequest, PrescientError
from prescient.cli.services import ServiceAway, ServiceError
from prescient.domain.errors import ConflictError, NotFoundError

OK = 0
FAILURE = 1
USAGE = 2
NOT_RUNNING = 3
REFUSED = 4
NOT_FOUND = 5

BY_STATUS = {404: NOT_FOUND, 409: REFUSED, 422: USAGE, 403: REFUSED, 401: REFUSED}
NOT_RUNNING_CODES = frozenset({"database_not_running", "not_running", "nothing_to_back_up"})
REFUSED_CODES = frozenset({"already_running", "port_taken", "services_running", "other_source"})


class CommandFailed(PrescientError):
    """A command ends here, with its own exit code."""

    code = "command_failed"

    def __init__(self, message: str, exit_code: int = FAILURE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def exit_code_of(error: PrescientError) -> int:
    if isinstance(error, CommandFailed):
        return error.exit_code
    if isinstance(error, ServiceAway) or error.code in NOT_RUNNING_CODES:
        return NOT_RUNNING
    if isinstance(error, ServiceError):
        return BY_STATUS.get(error.status, FAILURE)
    if isinstance(error, NotFoundError):
        return NOT_FOUND
    if isinstance(error, ConflictError) or error.code in REFUSED_CODES:
        return REFUSED
    return USAGE if isinstance(error, InvalidRequest) else FAILURE
