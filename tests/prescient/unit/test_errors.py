"""The tree of errors: codes and exit codes as scripts know them, and errors that come back from another service."""

from __future__ import annotations

import subprocess
import sys

import pytest

from polymarket_kit.errors import ExitCode, InvalidRequest, PrescientError
from prescient.adapters.postgres.migrate import SchemaTooNew
from prescient.adapters.postgres.server.types import AlreadyRunning, NotRunning
from prescient.adapters.postgres.source import OtherSource
from prescient.adapters.strategy_files import StrategyFileError
from prescient.cli.services import ServiceAway, ServiceError
from prescient.domain import errors
from prescient.domain.errors import BY_CODE, CycleAlreadyRunning, PortfolioNotFound, VenueUnavailable, error_from_answer
from prescient.supervisor.backup import BackupOfOtherSource, NothingToBackUp, ServicesRunning


def test_every_error_of_the_domain_is_in_the_table() -> None:
    defined = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PrescientError)}
    assert set(BY_CODE.values()) == defined
    assert all(BY_CODE[kind.code] is kind for kind in defined), "two errors have one code"


def test_an_error_comes_back_with_its_message_and_its_attributes() -> None:
    sent = CycleAlreadyRunning(3, "cycle-1")
    back = error_from_answer(sent.code, str(sent), cycle_id="cycle-1", field=None)
    assert type(back) is CycleAlreadyRunning
    assert (str(back), back.cycle_id, hasattr(back, "field")) == (str(sent), "cycle-1", False)
    assert error_from_answer("something_else", "text") is None


def test_what_can_come_back_does_not_depend_on_what_was_imported() -> None:
    program = (
        "from prescient.domain.errors import error_from_answer as e; print(type(e('invariant_broken', 'x')).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "InvariantBroken"


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (InvalidRequest, 2),
        (VenueUnavailable, 1),
        (ServiceAway, 3),
        (NotRunning, 3),
        (NothingToBackUp, 3),
        (AlreadyRunning, 4),
        (ServicesRunning, 4),
        (BackupOfOtherSource, 4),
        (OtherSource, 4),
        (errors.PortTaken, 4),
        (errors.ConflictError, 4),
        (errors.PositionMoved, 4),
        (PortfolioNotFound, 5),
    ],
)
def test_exit_codes_are_those_of_the_documentation(kind: type[PrescientError], exit_code: int) -> None:
    assert kind.exit_code == exit_code


@pytest.mark.parametrize(
    ("status", "exit_code"), [(401, 4), (403, 4), (404, 5), (409, 4), (422, 2), (500, 1), (503, 1)]
)
def test_a_services_answer_decides_the_exit_code_by_its_status(status: int, exit_code: int) -> None:
    assert ServiceError(status, {"detail": "text", "code": "port_taken"}).exit_code == exit_code


def test_only_what_the_next_start_would_meet_again_is_permanent() -> None:
    assert all(kind.permanent for kind in (InvalidRequest, OtherSource, SchemaTooNew, StrategyFileError))
    assert not any(
        kind.permanent for kind in (errors.StoreUnavailable, errors.PortTaken, VenueUnavailable, PrescientError)
    )
    assert int(ExitCode.PERMANENT) == 78
