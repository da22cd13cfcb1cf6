"""The Markdown tables of the comparisons, each between its two marks."""

from pathlib import Path
from typing import Any


def write_comparison(path: Path, report: dict[str, Any]) -> None:
    """Put the figures of the servers between the marks of the file."""
    _write(path, "comparison", markdown(report))


def write_log_calls(path: Path, report: dict[str, Any]) -> None:
    """Put the figures of the log calls between the marks of the file."""
    _write(path, "log calls", log_calls_markdown(report))


def _write(path: Path, name: str, text: str) -> None:
    begin, end = f"<!-- {name} begin -->", f"<!-- {name} end -->"
    before, _, rest = path.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")


def log_calls_markdown(report: dict[str, Any]) -> str:
    """What a log call costs, and what survives."""
    lines = [
        f"Commit {report['commit']}, {report['time']}; {report['cores']} cores, {report['memory_gib']} GiB, Python "
        f"{report['python']}; load average before: {report['load_before']}.",
        "",
        "| tracker | calls | median | p99 | p99.9 | max | of 2,000 points survive `kill -9` |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in report["results"].items():
        if reason := found.get("not_measured"):
            lines.append(f"| {name} | not measured: {' '.join(reason.split())[-200:]} | | | | | |")
            continue
        figures = [f"{found['microseconds'][each]:,} µs" for each in ("median", "p99", "p99.9", "max")]
        lines.append(
            f"| {name} {found['version']} | {found['calls']:,} | {' | '.join(figures)} | {found['survivors']:,} |"
        )
    return "\n".join(lines)


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
