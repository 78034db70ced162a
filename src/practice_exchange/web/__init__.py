"""What every route needs: responses, request bodies, queries, time stamps."""

from __future__ import annotations
