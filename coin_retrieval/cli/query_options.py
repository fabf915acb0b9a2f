"""Options of the commands that take labelled reports."""

from __future__ import annotations

QUERIES_HELP = (
    "CSV: report, the label's column, and case_id if that case must not be found. "
    "Default: the held-out wordings."
)
