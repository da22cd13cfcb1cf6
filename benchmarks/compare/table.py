"""The Markdown table of the comparison, between its two marks."""

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- comparison begin -->", "<!-- comparison end -->"


def write_comparison(path: Path, report: dict[str, Any]) -> None:
    """Put the report's figures between the marks of the file."""
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{markdown(report)}\n{END}{after}", "utf-8")


def markdown(report: dict[str, Any]) -> str:
    """The report as text and tables."""
    lines = [
        f"Commit {report['commit']}, {report['time']}; {report['cores']} cores, {report['memory_gib']} GiB, Python "
        f"{report['python']}; load average before: {report['load_before']}. Batches: {report['batch']}.",
        "",
        "| | points/s, one client | four clients | arrays, one client | durable when the client was answered |",
        "|---|---|---|---|---|",
    ]
    for name, found in report["results"].items():
        rates = [_rate(found.get(kind)) for kind in ("1 clients", "4 clients", "bulk")]
        lines.append(f"| {name} | {' | '.join(rates)} | {found['durable']} |")
    lines += ["", "| ratio | |", "|---|---|"]
    lines += [f"| Stepwell {name} | {ratio} |" for name, ratio in report["ratios"].items()]
    return "\n".join(lines)


def _rate(result: dict[str, Any] | None) -> str:
    return f"{result['points_per_second']:,}" if result else ""
