"""How near to its plan a request leaves: loadcmp's two pacers beside oha's `-q`, wrk2's rule, and a bare sleep.

All of them send so many requests per second, evenly, to a server that answers at once, one tool after the other in each
round. What every tool is judged by is the server's record of arrivals: the instants a_i, in order, are laid on the
schedule that no arrival is ahead of, so that the lateness of arrival i is a_i - i T - min_j(a_j - j T), T being the
period. loadcmp's samples tell besides how late a request was released, and how late its last byte was written, against
the planned instant itself.
"""
import csv
import ctypes
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time

CONNECTIONS = 16
QUANTILES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def figures(lateness):
    """p50, p99 and the largest of some times, in their own unit (nearest rank)."""
    ordered = sorted(lateness)
    at = {name: ordered[max(0, -(-int(q * 1000) * len(ordered) // 1000) - 1)] for name, q in QUANTILES.items()}
    return {name: round(value, 1) for name, value in at.items()}


def late_arrivals(arrived_us, rate):
    """Lateness of arrivals against the even schedule that none of them is ahead of."""
    ahead = [at - place * 1e6 / rate for place, at in enumerate(sorted(arrived_us))]
    earliest = min(ahead)
    return [at - earliest for at in ahead]


def self_check():
    """The arithmetic, on schedules whose lateness is known."""
    even = [5.0 + 1000 * k for k in range(100)]
    late = [at + (300 if place % 50 == 7 else 0) for place, at in enumerate(even)]
    assert late_arrivals(even, 1000) == [0.0] * 100
    assert figures(late_arrivals(late[::-1], 1000)) == {"p50": 0.0, "p99": 300.0, "max": 300.0}
    assert figures(range(1, 101)) == {"p50": 50, "p99": 99, "max": 100}
    behind = [1001.0 * k for k in range(1001)]
    assert abs(figures(late_arrivals(behind, 1000))["max"] - 1000) < 1e-6
    print("pacing: the arithmetic is right")


def rounded_timers(host, port, request, rate, seconds):
    """A client that follows wrk2's rule (its src/wrk.c): every connection has an even schedule of its own, a request whose
    instant has come leaves at once, and for one that is ahead a timer of whole milliseconds is set,
    round(microseconds / 1000 + 0.5). Its event loop (src/ae.c) reads the clock in whole milliseconds, rounded down, to
    set a timer, to see whether it is over, and for how long to poll. Single-threaded, as one wrk2 thread."""
    tick = lambda: int(time.time() * 1e3)
    poll = selectors.EpollSelector()
    begin = time.monotonic() + 0.05
    links = []
    for number in range(CONNECTIONS):
        link = socket.create_connection((host, port))
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setblocking(False)
        poll.register(link, selectors.EVENT_READ, number)
        links.append({"link": link, "start": begin + number / rate, "sent": 0, "timer": tick(), "got": b""})

    def go(state):
        ahead = state["start"] + state["sent"] * CONNECTIONS / rate - time.monotonic()
        if ahead > 0:
            state["timer"] = tick() + round(ahead * 1e3 + 0.5)
        else:
            state["link"].send(request)
            state.update(sent=state["sent"] + 1, timer=None, got=b"")
    while time.monotonic() < begin + seconds:
        due = min((state["timer"] for state in links if state["timer"] is not None), default=tick() + 100)
        for key, _ in poll.select(max(0, due - tick()) / 1e3):
            state = links[key.data]
            state["got"] += state["link"].recv(65536)
            head, found, body = state["got"].partition(b"\r\n\r\n")
            if found and len(body) >= int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
                go(state)
        for state in links:
            if state["timer"] is not None and state["timer"] <= tick():
                go(state)
    for state in links:
        state["link"].close()


def bare_sleep(rate, seconds):
    """Lateness of a thread that sleeps to absolute instants, in microseconds: the machine's own, without any request.
    The kernel may add 50 us to every sleep of a thread; off here, as it is no property of the machine."""
    slack = lambda nanoseconds: ctypes.CDLL(None).prctl(29, ctypes.c_ulong(nanoseconds), 0, 0, 0)
    slack(1)
    begin, late = time.monotonic() + 0.05, []
    for number in range(int(seconds * rate)):
        due = begin + number / rate
        while (left := due - time.monotonic()) > 0:
            time.sleep(left)
        late.append((time.monotonic() - due) * 1e6)
    slack(0)
    return late


def measure(bench, folder, args, rate):
    """All rounds; the figures, told in a table and as a dictionary."""
    closed = bench.scenario(folder, False, 1, {"duration": f"{args.seconds}s"}, 1)
    body = bench.body_of(closed, folder)
    (folder / "body.json").write_bytes(body)
    plan = json.loads(closed.read_text())

    def a_request(long, short):
        """CPU of a request in microseconds: what the longer of two runs took beyond the shorter, without start and end."""
        return max(0.0, (long[0] - short[0]) / (long[1] - short[1]) * 1e6)

    def loadcmp(server, pacing, arrivals):
        def drive(seconds):
            open_load = {"rate": rate, "arrivals": arrivals, "duration": f"{seconds}s", "warmup": "500ms", "in_flight": 64,
                         "pacing": pacing}
            path = folder / "open.yaml"
            path.write_text(json.dumps({**plan, "load": {"open": open_load}}))
            rows, cpu, *_ = bench.run(path, folder, "open", server.url)
            return rows, (cpu, len(rows))
        _, short = drive(1)
        warm_ups.append(short[1])
        rows, long = drive(args.seconds)
        rows_measured = [row for row in rows if row["phase"] == "measure"]
        # What found no free connection never left and has no lateness: counted, lest a bad second look like none.
        with open(folder / "open/samples.csv", newline="") as file:
            unsent = sum(row["outcome"] == "unsent" for row in csv.DictReader(file))
        late = lambda column: [float(row[column]) - float(row["planned_us"]) for row in rows_measured]
        return {"release": figures(late("dispatched_us")), "send": figures(late("sent_us")), "unsent": unsent,
                "cpu_us": a_request(long, short)}

    def closed_loop(server):
        def drive(seconds):
            rows, cpu, *_ = bench.run(closed, folder, "closed", server.url, ["--set", f"load.closed.duration={seconds}s"])
            return cpu, len(rows)
        short, long = drive(1), drive(args.seconds)
        return {"cpu_us": a_request(long, short)}

    def oha(server):
        def drive(seconds):
            count = rate * seconds
            _, cpu, *_ = bench.measured([bench.oha_program(), "-c", str(CONNECTIONS), "-n", str(count), "-q", str(rate), "-m",
                                        "POST", "-D", str(folder / "body.json"), "-T", "application/json", "--no-tui",
                                        "--output-format", "json", server.url + "/api/generate"])
            return cpu, count
        short = drive(1)
        warm_ups.append(short[1])
        return {"cpu_us": a_request(drive(args.seconds), short)}

    def wrk2_rule(server):
        host, port = server.url.removeprefix("http://").split(":")
        head = f"POST /api/generate HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        request = head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
        rounded_timers(host, int(port), request, rate, args.seconds)
        return {}

    tools = {
        "bare sleep": None,
        "loadcmp": lambda server: loadcmp(server, "timer", "constant"),
        "loadcmp precise": lambda server: loadcmp(server, "precise", "constant"),
        "loadcmp Poisson": lambda server: loadcmp(server, "timer", "poisson"),
        "oha -q": oha,
        "wrk2's rule": wrk2_rule,
        "loadcmp closed": closed_loop,
    }
    rounds, warm_ups = [], []
    for number in range(args.rounds):
        told = {}
        names = list(tools)
        names = names[number % len(names):] + names[:number % len(names)]
        for name in names:
            if tools[name] is None:
                told[name] = {"release": figures(bare_sleep(rate, args.seconds))}
                continue
            record = folder / "record.csv"
            record.unlink(missing_ok=True)
            warm_ups.clear()
            with bench.Server("--record", str(record)) as server:
                told[name] = tools[name](server)
            if name in ("loadcmp Poisson", "loadcmp closed"):
                continue
            with open(record, newline="") as file:
                arrived = sorted(float(row["arrived_us"]) for row in csv.DictReader(file))
            # A short run before, and the first second, which warms up, in every tool.
            arrived = arrived[sum(warm_ups) + rate:]
            told[name]["arrival"] = figures(late_arrivals(arrived, rate))
            told[name]["rate"] = (len(arrived) - 1) / (arrived[-1] - arrived[0]) * 1e6
        rounds.append(told)
        print(f"  round {number + 1} of {args.rounds}: released late p99 " + ", ".join(
            f"{name} {told[name]['release']['p99']:.0f} us" for name in tools if "release" in told[name]), flush=True)
    middle = lambda values: round(statistics.median(values), 1)
    lines = []
    for name in tools:
        line = {"tool": name}
        for kind in ("release", "send", "arrival"):
            if kind in rounds[0][name]:
                line[kind] = {q: middle(r[name][kind][q] for r in rounds) for q in QUANTILES}
        for figure in ("rate", "cpu_us"):
            if figure in rounds[0][name]:
                line[figure] = middle(r[name][figure] for r in rounds)
        if "unsent" in rounds[0][name]:
            line["unsent"] = sum(r[name]["unsent"] for r in rounds)
        lines.append(line)
    show(lines, args, rate)
    return {"rate": rate, "rounds": args.rounds, "seconds": args.seconds, "cores": os.cpu_count(), "tools": lines}


def show(lines, args, rate):
    """The table."""
    print(f"  medians of {args.rounds} rounds of {args.seconds} s at {rate}/s, microseconds late: p50 / p99 / largest")
    print(f"  {'':<17}{'released':>22}{'written':>22}{'arrived':>22}{'rate':>8}{'CPU us':>8}{'unsent':>8}")
    number = lambda value: f"{value:.0f}" if value >= 100 else f"{value:.1f}"
    for line in lines:
        cells = [" / ".join(number(line[kind][q]) for q in QUANTILES) if kind in line else "–"
                 for kind in ("release", "send", "arrival")]
        rate, cpu = (number(line[figure]) if figure in line else "–" for figure in ("rate", "cpu_us"))
        print(f"  {line['tool']:<17}{cells[0]:>22}{cells[1]:>22}{cells[2]:>22}{rate:>8}{cpu:>8}"
              f"{line.get('unsent', '–'):>8}")


if __name__ == "__main__":
    self_check()
