"""Mutation testing: small faults, put into the rooms that decide, that no test notices.

    python bench/mutants.py run                      # goes on where it stopped
    python bench/mutants.py run 'coin_retrieval.reports.*'   # these, and again if they ran before
    python bench/mutants.py list docs/mutants.md     # what survived

mutmut does the work (``[tool.mutmut]`` says where). Words in quotes are left alone: most are read
by people. ``equivalent_mutants.yaml`` says which survivors change nothing, and why.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import yaml
from mutmut.__main__ import cli
from mutmut.mutation import mutators
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

JUDGED = Path(__file__).with_name("equivalent_mutants.yaml")
CAUGHT = {"killed", "timeout", "suspicious", "segfault"}
HEAD = """# Mutants

Small faults (`<` for `<=`, `and` for `or`, a number one higher, an argument left out) were put into
the rooms that decide, one at a time, and the rooms' own tests were run: `make mutants`, not in CI.
This page is `python bench/mutants.py list docs/mutants.md`. Words in quotes and what an error says
are left alone. "Equivalent" are faults that nobody could see, each judged by hand (below, with the
reason); "no test" are faults in lines that the rooms' own tests never reach.

| file | run | caught | equivalent | survived | no test | not run | caught of meaningful |
|---|---|---|---|---|---|---|---|
"""


def change(mutant: str, path: str) -> str:
    """What a mutant changes, in one line."""
    lines = get_diff_for_mutant(mutant, path=path).split("\n")[2:]
    before, after = (
        " ".join(line[1:].strip() for line in lines if line.startswith(mark)) for mark in "-+"
    )
    return f"`{before}` → `{after or 'nothing'}`"


def listed() -> str:
    """The page of survivors."""
    judged: dict[str, dict[str, str]] = yaml.safe_load(JUDGED.read_text("utf-8"))
    rows, survivors, equivalent, waiting = [], [], [], []
    total: Counter[str] = Counter()
    for path in sorted(map(str, walk_mutatable_files())):
        data = SourceFileMutationData(path=path)
        data.load()
        found: Counter[str] = Counter()
        for mutant, code in data.exit_code_by_key.items():
            status = status_by_exit_code[code]
            if status in CAUGHT or status in ("not checked", "skipped", "no tests"):
                found["caught" if status in CAUGHT else status] += 1
                continue
            function, owner = orig_function_and_class_names_from_key(mutant)
            line = change(mutant, path)
            why = judged.get(path, {}).get(line.replace("`", ""))
            found["equivalent" if why else "survived"] += 1
            place = f"`{path}` {owner + '.' if owner else ''}{function.rpartition('.')[2]}"
            (equivalent if why else survivors).append(
                f"- {place}: {line}" + (f": {why}" if why else "")
            )
        if sum(found.values()) > found["not checked"] + found["skipped"]:
            rows.append(row(f"`{path}`", found))
            total += found
        else:
            waiting.append(f"`{path}`")
    return (
        HEAD
        + "\n".join([*rows, row("**all**", total)])
        + (f"\n\nNot run yet: {', '.join(waiting)}." if waiting else "")
        + "\n\n## Survived\n\n"
        + "\n".join(survivors)
        + "\n\n## Equivalent\n\n"
        + "\n".join(equivalent)
        + "\n"
    )


def row(name: str, found: Counter[str]) -> str:
    """One line of the table."""
    meaningful = found["caught"] + found["survived"] + found["no tests"]
    run = meaningful + found["equivalent"]
    counts = (run, found["caught"], found["equivalent"], found["survived"], found["no tests"])
    cells = " | ".join(map(str, (name, *counts, found["not checked"])))
    return f"| {cells} | {found['caught'] / max(meaningful, 1):.0%} |"


if __name__ == "__main__":
    if sys.argv[1] == "list":
        Path(sys.argv[2]).write_text(listed(), "utf-8")
    else:
        mutators.mutation_operators[:] = [  # type: ignore[index]
            pair for pair in mutators.mutation_operators if pair[1] is not mutators.operator_string
        ]
        cli()
