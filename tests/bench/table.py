"""record WHO WHAT < wrk's output: one line of figures; print FILE: medians and ratios to HAProxy as a table."""
import re
import statistics
import sys


def microseconds(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(value) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


def record(who, what):
    text = sys.stdin.read()
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    p50, p99 = (microseconds(re.search(rf"{p}%\s+(\S+)", text)[1]) for p in (50, 99))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failed = int(bad[1] if bad else 0) + (sum(map(int, sockets.groups())) if sockets else 0)
    print(who, what, rate, p50, p99, failed)


def show(path):
    rows = {}
    for line in open(path):
        who, what, *figures = line.split()
        rows.setdefault((what, who), []).append([float(f) for f in figures])
    print("| request | through | requests/s | of HAProxy's | p50 us | p99 us | added p99 of HAProxy's | failed |")
    print("|---|---|---|---|---|---|---|---|")
    for what in ("small", "64k", "api/chat"):
        median = {who: [statistics.median(c) for c in zip(*rows[what, who])] for who in ("direct", "haproxy", "llamavisor", "nginx")}
        for who, (rate, p50, p99, _) in median.items():
            added = p99 - median["direct"][2]
            base = median["haproxy"][2] - median["direct"][2]
            ratio = f"{added / base:.2f}" if who != "direct" and base > 0 else "-"
            failed = sum(r[3] for r in rows[what, who])
            print(f"| {what} | {who} | {rate:.0f} | {rate / median['haproxy'][0]:.2f} | {p50:.0f} | {p99:.0f} | {ratio} | {failed:.0f} |")


if sys.argv[1] == "record":
    record(sys.argv[2], sys.argv[3])
else:
    show(sys.argv[2])
