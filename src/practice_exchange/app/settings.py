"""The practice exchange's settings, read once: the environment, then the ``.env`` files that count.

The keys are those of the trading product, so that one ``.env`` serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from polymarket_kit.env_files import ENCODING, default_home, env_files

PORT = 8010


class ExchangeSettings(BaseSettings):
    """Which world is played, how fast, where it is kept and on which port it is served."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, env_file_encoding=ENCODING)

    home: Path = Field(default_factory=default_home, validation_alias="PRESCIENT_HOME")
    port_shift: int = Field(0, ge=0, le=50_000, validation_alias="PRESCIENT_PORT_SHIFT")
    seed: int = Field(7, ge=0, le=2**31, validation_alias="PRESCIENT_SEED")
    speed: float = Field(1.0, gt=0, le=100_000, validation_alias="PRESCIENT_SPEED")
    # The world stands still: for tests, and for looking at one moment at leisure.
    frozen: bool = Field(False, validation_alias="PRESCIENT_FROZEN")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", validation_alias="PYTHON_LOG_LEVEL")

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def port(self) -> int:
        return PORT + self.port_shift


def read_settings() -> ExchangeSettings:
    """Read the environment and the files that count. Raises EnvFileWrong, and pydantic's ValidationError."""
    return ExchangeSettings(_env_file=env_files())


@dataclass(frozen=True)
class Opening:
    """What an exchange shows and how. ``now`` is when a new world or a catalogue starts (RFC 3339), the present if None.

    ``port`` 0 takes a free one, None the settings'. A ``fresh`` world begins anew and is not kept.
    """

    catalogs: tuple[Path, ...] = ()
    frozen: bool = False
    now: str | None = None
    port: int | None = None
    fresh: bool = False
