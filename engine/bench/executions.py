"""Every way to run a model's network on this machine, side by side; what is measured here counts for `--execution auto`."""

from engine.bench.tables import table
from engine.execution.base import Subject
from engine.execution.choice import keep, known, measure, ranked
from engine.execution.plain import REFERENCE
from engine.execution.table import EXECUTIONS


def told(subject: Subject) -> str:
    """A row per way: milliseconds per item, how many times as fast as float32, how far its answer is from it."""
    found = known(subject) | measure(subject, list(EXECUTIONS.values()))
    keep(subject, found)
    plain = found[REFERENCE].seconds
    rows = []
    for name, execution in EXECUTIONS.items():
        if (row := found.get(name)) is not None:
            rows.append((name, f"{1000 * row.seconds:.1f}", f"{plain / row.seconds:.2f}", f"{row.difference:.1e}", ""))
        else:
            rows.append((name, "", "", "", f"not measured: {execution.missing(subject.device) or 'it failed, see the log'}"))
    shown = table(("execution", "ms per item", "times float32", "apart", ""), rows)
    return f"{shown}\n\n`--execution auto` takes {ranked(found)[0]}."
