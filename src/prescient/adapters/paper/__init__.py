"""The paper venue: takers meet the real book, resting orders wait in its real queues, and money is play money."""

from __future__ import annotations

from prescient.adapters.paper.resting import PaperResting
from prescient.adapters.paper.venue import PaperVenue

__all__ = ["PaperResting", "PaperVenue"]
