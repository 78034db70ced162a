"""Property tests have no time limit for one example: a busy machine is no defect of the code."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
