#!/usr/bin/env python3
"""The cost of the instrument, next to oha's: a benchmark, not a test. Needs `target/dist/loadcmp`, the bench's own server
(bench/server) by BENCH_SERVER, and an `oha` on the PATH or in target/tools/bin. Everything runs on loopback, one tool after
another in each round, the client on one half of the cores and the server on the other; what counts is the ratio within a
round. "bare" is a client that sends and counts bytes, and nothing else: its rate is the server's limit.

  bench.py [--rounds N] [--seconds S] [--users N] [--only PART] [--json FILE]
"""
import argparse
import csv
import functools
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import pacing

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOADCMP = ROOT / "target/dist/loadcmp"
SERVER = os.environ.get("BENCH_SERVER")
TICKET = ("Sort the support ticket into exactly one of these labels: billing, bug, feature. Answer with the label alone. "
          "Ticket: I was charged twice for the same order last week and would like one of the two payments back.")
CORES = sorted(os.sched_getaffinity(0))
HALF = max(1, len(CORES) // 2)
# Both on all cores where there is only one.
CLIENT, SERVED = (CORES[:HALF], CORES[HALF:] or CORES)


def installed(name):
    """A peer's program: in target/tools, or on the PATH."""
    here = ROOT / "target/tools/bin" / name
    return str(here) if here.exists() else shutil.which(name)


def oha_program():
    found = installed("oha")
    if not found:
        sys.exit("bench: no oha: cargo install --locked --root target/tools oha")
    return found


class Server:
    """A server of its own for each measurement. At its end `answered` and `cpu_s` are known."""

    def __init__(self, *args):
        self.process = subprocess.Popen([SERVER, "serve", *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=lambda: os.sched_setaffinity(0, SERVED))
        self.url = self.process.stdout.readline().strip()
        self.address = self.url.removeprefix("http://")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        out, _ = self.process.communicate(timeout=30)
        told = json.loads(out or "{}")
        self.answered, self.cpu_s = told.get("answered", 0), told.get("cpu_s", 0.0)


# Runs a command from a process that is small: what a program was forked from counts as its own peak memory.
SMALL = """
import json, os, sys, time
begun, pid = time.monotonic(), os.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as told:
    json.dump([os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, time.monotonic() - begun, usage.ru_maxrss / 1024], told)
"""


def measured(command, pinned=True, **more):
    """Runs a command; its output, CPU seconds, wall seconds and peak memory in MiB."""
    pin = (lambda: os.sched_setaffinity(0, CLIENT)) if pinned else None
    with tempfile.TemporaryDirectory() as folder:
        usage, out, errors = (pathlib.Path(folder) / name for name in ("usage", "out", "errors"))
        with open(out, "w") as to, open(errors, "w") as also:
            subprocess.run([sys.executable, "-c", SMALL, usage, *map(str, command)], stdout=to, stderr=also, preexec_fn=pin,
                           check=True, **more)
        code, cpu, wall, peak = json.loads(usage.read_text())
        # 4: the audit calls the run invalid, as one of a single request is.
        if code not in (0, 4):
            sys.exit(f"bench: {command[0]} ended with {code}:\n{errors.read_text()}\n{out.read_text()}")
        return out.read_text(), cpu, wall, peak


OLLAMA = {"ollama": {"url": "${BENCH_URL}", "model": "bench"}}
OPENAI = {"openai": {"url": "${BENCH_URL}", "model": "bench"}}


def scenario(folder, stream, users, load, tokens, prompts=None, spec=OLLAMA):
    path = folder / "bench.yaml"
    source = {"jsonl": {"path": "prompts.jsonl"}} if prompts else {"inline": [{"text": TICKET}]}
    if prompts:
        (folder / "prompts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in prompts))
    path.write_text(json.dumps({
        "name": "bench", "task": "generate", "seed": 1,
        "targets": {"server": spec},
        "workload": {"prompts": source, **({"format": "raw"} if spec is OLLAMA else {}), "stream": stream,
                     "sampling": {"max_tokens": tokens, "temperature": 0}},
        "load": {"closed": {"users": users, **load}},
    }))
    return path


def body_of(path, folder):
    """The bytes that loadcmp sends, read off a socket: the others send the same."""
    with Server() as server:
        host, port = server.address.split(":")
        listener = socket.create_server(("127.0.0.1", 0))
        got = []

        def relay(client):
            upstream = socket.create_connection((host, int(port)))

            def back():
                while data := upstream.recv(65536):
                    client.sendall(data)
            threading.Thread(target=back, daemon=True).start()
            while data := client.recv(65536):
                got.append(data)
                upstream.sendall(data)

        def accept():
            while True:
                client, _ = listener.accept()
                threading.Thread(target=relay, args=(client,), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        run(path, folder, "body", url, ["--set", "load.closed.users=1", "--set", "load.closed.requests=1",
                                         "--set", "load.closed.duration=null", "--set", "load.closed.warmup=0s"])
        text = b"".join(got)
        at = text.rindex(b"POST /api/generate")
        head, _, rest = text[at:].partition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head, re.I).group(1))
        return rest[:length]


def run(path, folder, name, url, more=(), read=True, pinned=True):
    """A run of loadcmp's: its rows that are answers, its CPU, its wall time and its peak memory."""
    out = folder / name
    shutil.rmtree(out, ignore_errors=True)
    _, cpu, wall, peak = measured([LOADCMP, "run", path, "--out", out, "--quiet", *more], pinned,
                                  env={**os.environ, "BENCH_URL": url})
    if not read:
        return [], cpu, wall, peak
    with open(out / "samples.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["outcome"] == "ok"]
    return rows, cpu, wall, peak


def rate_of(rows):
    rows = [row for row in rows if row["phase"] == "measure"]
    first = min(float(row["planned_us"]) for row in rows)
    last = max(float(row["end_us"]) for row in rows)
    return len(rows) / (last - first) * 1e6


def spread(values):
    """Median, least and largest."""
    return {"median": round(statistics.median(values), 3), "least": round(min(values), 3), "largest": round(max(values), 3)}


def quantiles(values):
    ordered = sorted(values)
    at = lambda q: round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 1)
    return {"p50": at(.5), "p99": at(.99)}


def speed(folder, args, chunks):
    """Rate and CPU of each client; of the server, how much of its core was left."""
    load = {"duration": f"{args.seconds}s"}
    path = scenario(folder, chunks is not None, args.users, load, chunks or 16)
    body = folder / "body.json"
    body.write_bytes(body_of(path, folder))

    def loadcmp(server):
        rows, cpu, _, _ = run(path, folder, "run", server.url)
        return rate_of(rows), cpu / len(rows) * 1e6

    def oha(server):
        out, cpu, _, _ = measured([oha_program(), "-c", args.users, "-z", f"{args.seconds}s", "-m", "POST", "-D", body,
                                   "-T", "application/json", "--no-tui", "--output-format", "json",
                                   server.url + "/api/generate"])
        told = json.loads(out)
        return told["summary"]["requestsPerSec"], cpu / sum(told["statusCodeDistribution"].values()) * 1e6

    def bare(server):
        out, *_ = measured([SERVER, "load", server.address, "/api/generate", body, args.users, args.seconds])
        told = json.loads(out)
        return told["per_s"], told["cpu_us"]

    tools = {"bare": bare, "loadcmp": loadcmp, "oha": oha}
    rounds = []
    for number in range(args.rounds):
        names = list(tools)
        names = names[number % len(names):] + names[:number % len(names)]
        figures = {}
        for name in names:
            with Server(*(["--stream", chunks] if chunks else [])) as server:
                begun = time.monotonic()
                rate, cpu = tools[name](server)
                wall = time.monotonic() - begun
            figures[name] = {"rate": rate, "cpu_us": cpu, "server_busy": server.cpu_s / wall,
                             "server_cpu_us": server.cpu_s / max(1, server.answered) * 1e6}
        rounds.append(figures)
        words = "   ".join(f"{name} {figures[name]['rate']:8.0f}/s {figures[name]['cpu_us']:6.2f} us" for name in tools)
        mine, other = figures["loadcmp"], figures["oha"]
        print(f"  round {number + 1}: {words}   loadcmp/oha: rate {mine['rate'] / other['rate']:.2f}, CPU "
              f"{mine['cpu_us'] / other['cpu_us']:.2f}", flush=True)
    told = {name: {key: spread([r[name][key] for r in rounds]) for key in rounds[0][name]} for name in tools}
    for key in ("rate", "cpu_us"):
        told[f"{key}_ratio"] = spread([r["loadcmp"][key] / r["oha"][key] for r in rounds])
    print(f"  median of {args.rounds}: loadcmp / oha: rate {told['rate_ratio']['median']:.2f}, CPU "
          f"{told['cpu_us_ratio']['median']:.2f}; server busy {told['loadcmp']['server_busy']['median']:.0%} of its core")
    # Of a stream, the kernel's work for each chunk is done by whoever sends it: a client that reads sooner gets less.
    best = max(told["loadcmp"]["rate"]["median"], told["oha"]["rate"]["median"])
    limit = told["bare"]["rate"]["median"]
    if chunks is None and limit < 1.2 * best:
        print(f"  THE SERVER IS THE BOTTLENECK: a bare client gets {limit:.0f}/s, the tools {best:.0f}/s")
    return told


def against_record(rows, record):
    """How much later than the server's own record each first token and each end is, in microseconds."""
    with open(record, newline="") as file:
        served = {row["number"]: {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)}
    first, end = [], []
    for row in rows:
        own = served.get(row["item"])
        if own:
            sent = float(row["sent_us"])
            first.append(float(row["first_token_us"]) - sent - (own["first_us"] - own["arrived_us"]))
            end.append(float(row["end_us"]) - sent - (own["last_us"] - own["arrived_us"]))
    if not first:
        sys.exit("bench: no request of the run was found in the server's record")
    return {"first_us": quantiles(first), "end_us": quantiles(end)}


def stamps(folder, args):
    """How far the first token and the end are from the server's own record of the same request; and of a bare client, which
    has its stamp right after each read: what no client can be ahead of on this machine."""
    count = 3000
    prompts = [f"request number {n} of the benchmark" for n in range(1, count + 1)]
    path = scenario(folder, True, args.users, {"requests": count}, 16, prompts)
    body, record, sheet = folder / "body.json", folder / "record.csv", folder / "bare.csv"
    body.write_bytes(re.sub(rb"request number \d+", b"request number 000001", body_of(path, folder)))

    def loadcmp(server):
        return [row for row in run(path, folder, "ttft", server.url)[0] if row["phase"] == "measure"]

    def bare(server):
        measured([SERVER, "load", server.address, "/api/generate", body, args.users, 60, count, sheet])
        with open(sheet, newline="") as file:
            return list(csv.DictReader(file))

    rounds = []
    for number in range(args.rounds):
        figures = {}
        for tool in (loadcmp, bare) if number % 2 == 0 else (bare, loadcmp):
            with Server("--stream", 16, "--first-ms", 20, "--gap-ms", 1, "--record", record) as server:
                rows = tool(server)
            figures[tool.__name__] = against_record(rows, record)
        rounds.append(figures)
    told = {"requests": count, "users": args.users}
    for tool in ("loadcmp", "bare"):
        told[tool] = {what: {q: spread([r[tool][what][q] for r in rounds]) for q in ("p50", "p99")}
                      for what in ("first_us", "end_us")}
        words = "; ".join(f"{name} p50 {told[tool][what]['p50']['median']:.0f} us, p99 {told[tool][what]['p99']['median']:.0f} us"
                          for what, name in (("first_us", "first token"), ("end_us", "end")))
        print(f"  {tool}: {count} requests, {args.users} users, measured less served: {words}", flush=True)
    return told


def byte_tokenizer(path):
    """A tokenizer file of one token a byte: there is no hub here to get a model's from."""
    printed = [byte for byte in range(256) if chr(byte).isprintable() and byte not in (32, 160)]
    others = [byte for byte in range(256) if byte not in printed]
    letters = [chr(byte) for byte in printed] + [chr(256 + n) for n in range(len(others))]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    path.write_text(json.dumps({"version": "1.0", "added_tokens": [], "pre_tokenizer": level, "decoder": level, "model": {
        "type": "BPE", "vocab": {letter: n for n, letter in enumerate(letters)}, "merges": []}}))


def vllm(program, folder, tokenizer, users, server, count):
    """How vLLM's client in Rust sends so many requests: its CPU seconds, and requests per second by its own word."""
    data = folder / "prompts.jsonl"
    data.write_text(json.dumps({"prompt": TICKET}) + "\n")
    command = [program, "bench", "serve", "--backend", "openai-chat", "--base-url", server.url, "--model", "bench",
               "--dataset-name", "custom", "--dataset-path", data, "--custom-output-len", 16, "--num-prompts", count,
               "--max-concurrency", users, "--tokenizer", tokenizer, "--disable-tqdm", "--temperature", 0,
               "--save-result", "--result-dir", folder, "--result-filename", "vllm.json"]
    _, cpu, *_ = measured(command)
    result = json.loads((folder / "vllm.json").read_text())
    if result["completed"] != count:
        sys.exit(f"bench: {result['completed']} of vLLM's {count} requests were completed")
    return cpu, result["request_throughput"]


def llmnop(program, folder, tokenizer, users, server, count):
    """The same for llmnop, which makes its prompts itself, as long as the others' are, and counts the tokens of each answer."""
    command = [program, "--url", server.url + "/v1", "--model", "bench", "--api", "chat", "--tokenizer", tokenizer,
               "--input-tokens", len(TICKET), "--output-cap", 16, "--requests", count, "--concurrency", users,
               "--format", "json", "--results-dir", folder / "llmnop"]
    out, cpu, *_ = measured(command)
    result = json.loads(out)
    if result["measurement"]["completed"] != count:
        sys.exit(f"bench: {result['measurement']['completed']} of llmnop's {count} requests were completed")
    return cpu, result["completed_requests_per_second"]


def chat(folder, args):
    """Streams of 16 chunks by OpenAI's chat route: loadcmp and the other clients in Rust. Of those the start is taken off: what many
    requests cost beyond few."""
    path = scenario(folder, True, args.users, {"duration": f"{args.seconds}s"}, 16, spec=OPENAI)
    tokenizer = folder / "tokenizer.json"
    byte_tokenizer(tokenizer)
    # By how many requests a second of the measurement is filled, about; and where a program comes from.
    peers = {"vllm-rs": (vllm, 10_000, "bench/vllm.sh"),
             "llmnop": (llmnop, 1_500, "cargo install --locked --root target/tools llmnop")}
    few, there = 1_000, {}
    for name, (peer, a_second, source) in peers.items():
        program = installed(name)
        if program:
            there[name] = (functools.partial(peer, program, folder, tokenizer, args.users), 2 * few + a_second * args.seconds)
        else:
            print(f"  NOT MEASURED: no {name} ({source})")
    if not there:
        return None
    rounds = []
    for number in range(args.rounds):
        figures = {}
        names = ["loadcmp", *there]
        for name in names[number % len(names):] + names[:number % len(names)]:
            with Server("--openai", "--stream", 16) as server:
                if name == "loadcmp":
                    rows, cpu, _, _ = run(path, folder, "run", server.url)
                    figures[name] = {"rate": rate_of(rows), "cpu_us": cpu / len(rows) * 1e6}
                else:
                    theirs, many = there[name]
                    start, _ = theirs(server, few)
                    cpu, rate = theirs(server, many)
                    figures[name] = {"rate": rate, "cpu_us": (cpu - start) / (many - few) * 1e6}
        rounds.append(figures)
        print("  round " + f"{number + 1}: " + "   ".join(f"{name} {own['rate']:8.0f}/s {own['cpu_us']:6.2f} us"
                                                         for name, own in figures.items()), flush=True)
    told = {name: {key: spread([r[name][key] for r in rounds]) for key in ("rate", "cpu_us")} for name in ["loadcmp", *there]}
    for name in there:
        for key in ("rate", "cpu_us"):
            told[name][f"{key}_ratio"] = spread([r["loadcmp"][key] / r[name][key] for r in rounds])
        version = subprocess.run([installed(name), "--version"], capture_output=True, text=True).stdout.split()
        told[name]["version"] = version[-1] if version else "unknown"
        print(f"  median of {args.rounds}: loadcmp / {name}: rate {told[name]['rate_ratio']['median']:.2f}, CPU "
              f"{told[name]['cpu_us_ratio']['median']:.2f}")
    return told


def slow_streams(folder, args):
    """Ten thousand open streams, a token a second: what one of them takes of memory and CPU."""
    told, peaks = {}, {}
    for users in (100, 10_000):
        path = scenario(folder, True, users, {"requests": users}, 16)
        with Server("--stream", 16, "--first-ms", 5000, "--gap-ms", 1000) as server:
            rows, cpu, wall, peak = run(path, folder, "slow", server.url)
        peaks[users] = peak
        told = {"streams": len(rows), "cpu_us": cpu / len(rows) * 1e6, "wall_s": wall}
    told["kib"] = (peaks[10_000] - peaks[100]) * 1024 / (10_000 - 100)
    print(f"  {told['streams']} streams: {told['kib']:.1f} KiB and {told['cpu_us']:.0f} us of CPU per stream")
    return told


def memory(folder, args):
    """Peak memory over ten times the requests, and what `report` makes of the rows."""
    peaks, rows = [], args.rows
    for count in (20_000, 200_000, rows):
        path = scenario(folder, False, args.users, {"requests": count}, 16)
        with Server() as server:
            _, _, _, peak = run(path, folder, "memory", server.url, read=False)
        peaks.append(peak)
    _, cpu, wall, peak = measured([LOADCMP, "report", folder / "memory"], pinned=False)
    told = {"mib": peaks, "rows": rows, "report_s": wall, "report_rows_per_s": rows / wall, "report_cpu_us": cpu / rows * 1e6, "report_mib": peak}
    print(f"  peak memory: {peaks[0]:.1f} MiB after 20,000 requests, {peaks[1]:.1f} MiB after 200,000, {peaks[2]:.1f} after "
          f"{rows:,}; report: {wall:.2f} s, {told['report_rows_per_s']:.0f} rows/s, {told['report_cpu_us']:.2f} us of CPU per row, {peak:.0f} MiB")
    return told


def floor(folder, args):
    """What `calibrate` says that a request, and a token of many streams, costs loadcmp of processor time on this machine, beside the
    same loads against the bench's server; there the start and the end of a run are taken off."""
    sheet = folder / "calibration.json"
    out, *_ = measured([LOADCMP, "calibrate", "--quiet", "--format", "json"], pinned=False,
                       env={**os.environ, "LOADCMP_CALIBRATION": str(sheet)})
    wires = {wire["floor"]["stream"]: wire["floor"] for wire in json.loads(out)["wires"]
             if wire["floor"]["wire"] == "ollama" and wire["floor"]["transport"] == "tcp"}

    def cost(stream, users, load, tokens, *served):
        path = scenario(folder, stream, users, load, tokens)
        with Server(*served) as server:
            rows, cpu, wall, _ = run(path, folder, "floor", server.url, pinned=False)
        return cpu, len(rows), wall

    def one(stream, *served):
        load = lambda seconds: {"duration": f"{seconds}s", "warmup": "100ms"}
        (little, few, _), (much, many, _) = (cost(stream, 1, load(seconds), 8, *served) for seconds in (1, 1 + args.seconds))
        return (much - little) / (many - few) * 1e6

    def per_token():
        load = {"duration": f"{args.seconds}s"}
        (idle, few, one_wall), (busy, many, wall) = (
            cost(True, users, load, 50, "--stream", 50, "--first-ms", 20, "--gap-ms", 10) for users in (1, 64))
        return (busy / wall - idle / one_wall) * 1e6 / ((many / wall - few / one_wall) * 50)

    rounds = range(args.rounds)
    told = {"whole": {"calibrate_us": round(wires[False]["cpu_per_request_us"], 1),
                      "bench_us": spread([one(False) for _ in rounds])},
            "stream": {"calibrate_us": round(wires[True]["cpu_per_request_us"], 1),
                       "bench_us": spread([one(True, "--stream", 8) for _ in rounds])},
            "token": {"calibrate_us": round(wires[True]["cpu_per_token_us"], 1),
                      "bench_us": spread([per_token() for _ in rounds])}}
    for name, both in told.items():
        bench = both["bench_us"]
        print(f"  {name}: calibrate {both['calibrate_us']:.1f} us; bench {bench['median']:.1f} us ({bench['least']:.1f}-"
              f"{bench['largest']:.1f})", flush=True)
    return told


def start_up(folder, args):
    """A whole run of one request: an upper bound of the time to the first request."""
    told = {}
    for driver in ("native", "goose"):
        path = scenario(folder, False, 1, {"requests": 1}, 1)
        with Server() as server:
            walls = [run(path, folder, "start", server.url, ["--driver", driver])[2] * 1e3 for _ in range(args.rounds)]
        told[driver] = spread(walls)
        print(f"  a whole run of one request, start to exit, driver {driver}: median {told[driver]['median']:.0f} ms")
    return told


def commit():
    told = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=10"], cwd=ROOT, capture_output=True, text=True)
    return told.stdout.strip()


def main():
    # Start-up first: thousands of connections that were just closed lie in the system's tables for a minute.
    parts = {
        "start": ("start-up", start_up),
        "plain": ("whole answers, zero delay", lambda f, a: speed(f, a, None)),
        "stream": ("streams of 16 chunks, zero delay, each chunk a write of its own", lambda f, a: speed(f, a, 16)),
        "stream128": ("the same with 128 chunks", lambda f, a: speed(f, a, 128)),
        "chat": ("streams of 16 chunks by OpenAI's chat route, with the other clients in Rust", chat),
        "stamps": ("first token at 20 ms, and the end, against the server's record", stamps),
        "floor": ("what a request and a token cost by `calibrate`, and the same loads", floor),
        "slow": ("10,000 slow streams", slow_streams),
        "memory": ("memory, and `report`", memory),
        "pacing200": ("pacing, 200 requests per second", lambda f, a: pacing.measure(sys.modules[__name__], f, a, 200)),
        "pacing": ("pacing, 1,000 requests per second", lambda f, a: pacing.measure(sys.modules[__name__], f, a, 1000)),
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the file that `report` is measured on; 10,000,000 are 2.4 GB")
    parser.add_argument("--only", choices=list(parts))
    parser.add_argument("--json", help="write the figures there, with --only into what it has (bench/figures/bench.json is what the docs are made of)")
    args = parser.parse_args()
    if not SERVER:
        sys.exit("bench: BENCH_SERVER names no server: bench/run.sh builds it")
    before = {}
    if args.json and args.only and pathlib.Path(args.json).exists():
        before = json.loads(pathlib.Path(args.json).read_text())
    told = {**before, "commit": commit(), "cores": len(CORES), "rounds": args.rounds, "seconds": args.seconds, "users": args.users,
            "load_average": round(os.getloadavg()[0], 2)}
    print(f"load average before: {told['load_average']:.2f}; the client on core {CLIENT}, the server on {SERVED}")
    for key, (title, part) in parts.items():
        if args.only in (None, key):
            print(title, flush=True)
            with tempfile.TemporaryDirectory() as folder:
                figures = part(pathlib.Path(folder), args)
            if figures is not None:
                told[key] = figures
    if args.json:
        part = pathlib.Path(args.json + ".part")
        part.write_text(json.dumps(told, indent=2) + "\n")
        part.rename(args.json)


if __name__ == "__main__":
    main()
