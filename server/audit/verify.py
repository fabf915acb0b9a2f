"""Whether an audit log is whole: no record changed, added, moved or taken away."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from server.audit.chain import FIRST_PREVIOUS, Link, audit_files, head_of, mac_of, records


@dataclass(slots=True)
class Verified:
    """What a look through a log found; whole if there are no problems."""

    records: int = 0
    first: datetime | None = None
    last: datetime | None = None
    problems: list[str] = field(default_factory=list)


def verify(folder: Path, *, key: bytes) -> Verified:
    """Check every record of a log, and that none is missing.

    A server may write meanwhile. Records that were deleted because they were old enough are not
    missed: the log says that it forgot them.
    """
    found = Verified()
    before: Link | None = None
    started_after = Link(0, FIRST_PREVIOUS)
    forgot = Link(0, FIRST_PREVIOUS)
    for path in audit_files(folder):
        try:
            for record in records(path):
                mac = record.pop("mac", "")
                if not hmac.compare_digest(mac_of(key, record), str(mac)):
                    found.problems.append(f"{path.name}: record {record.get('n')} was changed")
                link = Link(int(record["n"]), str(mac))
                if before is None:
                    started_after = Link(link.number - 1, str(record["prev"]))
                elif (link.number, record["prev"]) != (before.number + 1, before.mac):
                    found.problems.append(
                        f"{path.name}: record {link.number} does not follow {before.number}"
                    )
                if record.get("what") == "forgot":
                    forgot = Link(int(record["up_to"]), str(record["up_to_mac"]))
                before = link
                at = datetime.fromisoformat(record["at"])
                found.first, found.last = found.first or at, at
                found.records += 1
        except (ValueError, KeyError, TypeError):
            found.problems.append(f"{path.name}: a line is no record")
    if started_after != forgot:
        found.problems.append(
            f"the log begins after record {started_after.number}, and says that it forgot what "
            f"came up to {forgot.number}"
        )
    head = head_of(folder)
    newest = before or Link(0, FIRST_PREVIOUS)
    if head is None:
        found.problems.append("HEAD is missing or cannot be read")
    elif head.number > newest.number:
        found.problems.append(f"the log ends at record {newest.number}, and had {head.number}")
    return found
