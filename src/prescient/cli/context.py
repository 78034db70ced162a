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
    """Read the environment and ``.env``. Raises CommandFailed that names each wrong key, and no value."""
    from pydantic import ValidationError

    from prescient.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        raise CommandFailed("Settings are wrong (environment or .env):\n" + "\n".join(problems), USAGE) from None


def settings_of_the_run() -> Settings:
    """Return the settings with the venue and seed of what runs on this home, or ran last. Raises CommandFailed."""
    from prescient.supervisor.last_run import of_the_run

    return of_the_run(load_settings())


def services_of(settings: Settings) -> Services:
    """Return a client for the services of this installation."""
    from prescient.cli.services import Services

    return Services(settings.service_ports)


def running_services() -> Services:
    """Return the services, for commands that need nothing else."""
    return services_of(load_settings())
