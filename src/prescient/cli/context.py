"""What nearly every command starts with: the settings, the services they point to, and exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymarket_kit.errors import ExitCode, PrescientError

if TYPE_CHECKING:
    from prescient.cli.services import Services
    from prescient.settings import Settings

FAILURE, USAGE = ExitCode.FAILURE, ExitCode.USAGE
NOT_RUNNING, REFUSED = ExitCode.NOT_RUNNING, ExitCode.REFUSED


class CommandFailed(PrescientError):
    """A command ends here, with its own exit code."""

    code = "command_failed"

    def __init__(self, message: str, exit_code: ExitCode = FAILURE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def load_settings() -> Settings:
    """Read the environment and ``.env``. Raises EnvFileWrong, and CommandFailed that names each wrong key, and no value."""
    from pydantic import ValidationError

    from prescient.settings import read_settings

    try:
        return read_settings()
    except ValidationError as error:
        problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        raise CommandFailed("Settings are wrong (environment or .env):\n" + "\n".join(problems), USAGE) from None


def settings_of_the_run() -> Settings:
    """Return the settings as what runs on this home, or ran last, has them. Raises CommandFailed, OtherDatabase."""
    from prescient.supervisor.last_run import check_database, of_the_run

    settings = load_settings()
    check_database(settings)
    return of_the_run(settings)


def services_of(settings: Settings) -> Services:
    """Return a client for the services of this installation."""
    from prescient.cli.services import Services

    return Services(settings.service_ports)


def running_services() -> Services:
    """Return the services, for commands that need nothing else."""
    return services_of(settings_of_the_run())
