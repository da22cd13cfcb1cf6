"""The Markdown table of benchmarks/README.md, between its two marks."""

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures begin -->", "<!-- figures end -->"


def write_table(path: Path, report: dict[str, Any]) -> None:
    """Put the report's figures between the marks of the file."""
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{markdown(report)}\n{END}{after}", "utf-8")


def markdown(report: dict[str, Any]) -> str:
    """The report as text and tables."""
    results = report["results"]
    lines = [
        f"Commit {report['commit']}, {report['time']}; {report['cores']} cores ({report['machine']}), "
        f"{report['memory_gib']} GiB, {report['system']}, Python {report['python']}; {report['workers']} worker(s); "
        f"PostgreSQL: {report['postgresql']}; load average before: {report['load_before']}; scale {report['scale']}.",
        "",
        "| workload | points/s | lag p99 | server, cores | PostgreSQL, cores | server memory "
        "| durable when the client was answered |",
        "|---|---|---|---|---|---|---|",
        *[
            f"{_row(name, result)} {report['durable']} |"
            for name, result in results.items()
            if "server_core_share" in result
        ],
        "",
    ]
    if "stations" in results:
        lines += [f"Stations; those that commit: {report['durable']}.", ""]
        lines += ["| station | points/s | |", "|---|---|---|"]
        lines += [_station(name, result) for name, result in results["stations"]["stations"].items()]
        lines += [""]
    if "disk" in results:
        lines += ["| disk, 1 kHz series, all indexes | bytes/point | points in a chunk |", "|---|---|---|"]
        lines += [
            f"| {kind} | {found['bytes_per_point']} | {found['points_per_chunk']:,} |"
            for kind, found in results["disk"].items()
        ]
        lines += [""]
    if "growth" in results:
        found = results["growth"]
        ratios = ", ".join(f"{ratio:.0%} ({kind})" for kind, ratio in found["ratio"].items())
        lines += [f"Throughput after {found['points_between']:,} points against an empty database: {ratios}."]
    if "memory" in results:
        found = results["memory"]
        lines += [
            "",
            f"Server memory under {found['seconds_of_load']:,} s of full load ({found['points']:,} points): at most "
            f"{found['server_mib_first_half_max']} MiB in the first half, "
            f"{found['server_mib_second_half_max']} MiB in the second.",
        ]
    return "\n".join(lines).rstrip()


def _row(name: str, result: dict[str, Any]) -> str:
    lag = f"{result['lag_p99_ms']:,.0f} ms" if "lag_p99_ms" in result else ""
    return (
        f"| {name.replace('_', ' ')} | {result['points_per_second']:,} | {lag} | {result['server_core_share']} "
        f"| {result['postgresql_core_share']} | {result['server_mib']} MiB |"
    )


def _station(name: str, result: dict[str, Any]) -> str:
    if "points_per_second" in result:
        return f"| {name} | {result['points_per_second']:,} | wall clock |"
    return f"| {name} | {result['points_per_cpu_second']:,} | for each second of one core |"
