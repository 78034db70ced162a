"""Faults on request: what requests become on a bad day at the venue, by order or drawn from a seed; others hold until cleared."""

from __future__ import annotations

from prescient.surfaces.practice.faulty.order import Fault, FaultRefused
from prescient.surfaces.practice.faulty.registry import Faults
from prescient.surfaces.practice.faulty.spoil import spoil
from prescient.surfaces.practice.faulty.weather import WeatherOrder

__all__ = ["Fault", "FaultRefused", "Faults", "WeatherOrder", "spoil"]
