"""What nearly every command begins with: the settings, and the services they point to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prescient.cli.exits import USAGE, CommandFailed

if TYPE_CHECKING:
    from prescient.cli.services import Services
    from prescient.settings import Settings


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
    """The settings with the venue and seed of what runs on this home, or ran last. Raises CommandFailed."""
    from prescient.supervisor.last_run import of_the_run

    return of_the_run(load_settings())


def services_of(settings: Settings) -> Services:
    """Where the services of this installation listen."""
    from prescient.cli.services import Services

    return Services(settings.service_ports)


def running_services() -> Services:
    """The services, for commands that need nothing else."""
    return services_of(load_settings())
