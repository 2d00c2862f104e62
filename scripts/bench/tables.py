"""What was measured, as tables, on the terminal and in docs/bench.md."""

import json
import subprocess

from machine import ROOT, SERVERS, TARGET, Trouble

PAGE = ROOT / "docs/bench.md"


def aligned(rows):
    """A table of Markdown that can be read as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for index, row in enumerate(rows):
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))
        ]
        lines.append(f"| {' | '.join(cells)} |")
        if index == 0:
            rules = ["-" * width if column < 2 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
            lines.append(f"| {' | '.join(rules)} |")
    return "\n".join(lines)


def number(value):
    return "" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def cell(entrant, rounds):
    if entrant.rate is None:
        return "failed"
    marks = ("*" if entrant.stopped else "") + ("!" if entrant.problem else "")
    if len(entrant.rates) < rounds and not marks:
        marks = "'"
    return number(entrant.rate) + marks


def server_name(contest):
    return SERVERS.get(contest.server.kind, contest.server.kind)


def line(contest):
    """One contest in one line, to be read while the others are measured."""
    protection = "TLS " if contest.server.tls else ""
    rates = ", ".join(f"{entrant.name} {cell(entrant, 0)}" for entrant in contest.entrants)
    ratio = f" -> {contest.ratio:.2f}" if contest.ratio else ""
    group = f", {contest.group}" if contest.group else ""
    return f"{server_name(contest):9} {protection}{contest.direction}{group}: {rates}{ratio}"


def contests(found, rounds):
    """Tables of contests, one for each set of programs."""
    text, groups = [], {}
    for contest in found:
        groups.setdefault(contest.group, []).append(contest)
    order = list(SERVERS)
    order += [contest.server.kind for contest in found if contest.server.kind not in order]
    for group, members in sorted(groups.items()):
        members.sort(key=lambda contest: (order.index(contest.server.kind), contest.server.tls, contest.direction))
        names = []
        for contest in members:
            names += [entrant.name for entrant in contest.entrants if entrant.name not in names]
        rows = [["server", "", *names, "slip to the best", "slip's peak MiB"]]
        for contest in members:
            entrants = {entrant.name: entrant for entrant in contest.entrants}
            protection = "TLS " if contest.server.tls else ""
            ratio, ours = contest.ratio, contest.ours
            rows.append(
                [
                    server_name(contest),
                    protection + contest.direction,
                    *(cell(entrants[name], rounds) if name in entrants else "" for name in names),
                    f"{ratio:.2f}" if ratio else "-",
                    number(ours.peak_mib) if ours else "-",
                ]
            )
        if group:
            text.append(f"With {group}:")
        text.append(aligned(rows))
    return text


def peaks(found):
    """The most memory that each program had in any of the contests."""
    most = {}
    for contest in found:
        for entrant in contest.entrants:
            most[entrant.name] = max(most.get(entrant.name, 0), entrant.peak_mib)
    return "Peak memory, MiB: " + ", ".join(f"{name} {peak:.0f}" for name, peak in most.items()) + "."


def problems(found):
    lines = []
    for contest in found:
        for entrant in contest.entrants:
            if entrant.problem:
                group = f", {contest.group}" if contest.group else ""
                where = f"{server_name(contest)} {'TLS ' if contest.server.tls else ''}{contest.direction}"
                lines.append(f"- {where}{group}, {entrant.name}: {entrant.problem}")
    return lines


def scenario(title, found, rounds):
    """A whole section about one scenario."""
    text = [f"### {title}", *contests(found, rounds)]
    entrants = [entrant for contest in found for entrant in contest.entrants]
    notes = [f"Medians of {rounds} rounds." if rounds > 1 else "One round."]
    if any(0 < len(entrant.rates) < rounds and not entrant.stopped and not entrant.problem for entrant in entrants):
        notes.append("' fewer rounds: not near the best in the first.")
    if any(entrant.stopped and entrant.rates for entrant in entrants):
        notes.append("\\* stopped, being far slower or not done in time: the rate up to then.")
    if any(entrant.problem and entrant.rates for entrant in entrants):
        notes.append("! failed in some rounds, see below.")
    text += [" ".join(notes) + " " + peaks(found)]
    if failed := problems(found):
        text.append("Failed:\n\n" + "\n".join(failed))
    return "\n\n".join(text)


def decoders(quick):
    """Runs criterion, and says what it measured."""
    arguments = ["--quick"] if quick else ["--warm-up-time", "1", "--measurement-time", "3"]
    words = ["cargo", "bench", "-q", "-p", "ftp-proto", "--bench", "decoders", "--", "--noplot", *arguments]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if ran.returncode:
        raise Trouble(f"{' '.join(words)}: {ran.stderr.strip()[-2000:]}")
    rows = [["decoder", "", "time", "a second"]]
    for path in sorted((TARGET / "criterion").glob("**/new/benchmark.json")):
        about = json.loads(path.read_text())
        estimates = json.loads(path.with_name("estimates.json").read_text())
        nanoseconds = (estimates.get("slope") or estimates["median"])["point_estimate"]
        throughput = about["throughput"]
        count = throughput.get("Elements", 1) if isinstance(throughput, dict) else 1
        label = (about["value_str"] or about["function_id"] or "").strip()
        what = {"listing": "10,000 lines", "replies": f"{count} repl{'y' if count == 1 else 'ies'}"}
        title = f"{about['group_id']}{', ' + label if label else ''}"
        rate = count * 1e9 / nanoseconds
        time = f"{nanoseconds / 1e6:.2f} ms" if nanoseconds >= 1e6 else f"{nanoseconds / 1e3:.1f} µs"
        rows.append([title, what.get(about["group_id"], "one"), time, f"{rate / 1e6:.2f} million"])
    return "### The decoders\n\n" + aligned(rows)


def write(name, text):
    """Puts a section into docs/bench.md, between its marks."""
    page = PAGE.read_text()
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in page or end not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
    head, _, rest = page.partition(begin)
    tail = rest.partition(end)[2]
    PAGE.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}")
