#!/usr/bin/env python3
"""Speed of loadcmp beside oha: a benchmark, not a test. Needs `target/dist/loadcmp` and an `oha` on the PATH or in
target/tools/bin. Everything runs on loopback, interleaved in one sitting; what counts is the ratio within a round.

  bench.py [--rounds N] [--seconds S] [--users N] [--only PART] [--json FILE]
"""
import argparse
import csv
import hashlib
import json
import os
import pathlib
import re
import resource
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
TICKET = ("Sort the support ticket into exactly one of these labels: billing, bug, feature. Answer with the label alone. "
          "Ticket: I was charged twice for the same order last week and would like one of the two payments back.")


def oha_program():
    here = ROOT / "target/tools/bin/oha"
    found = str(here) if here.exists() else shutil.which("oha")
    if not found:
        sys.exit("bench: no oha: cargo install --locked --root target/tools oha")
    return found


class Server:
    """A stand-in of its own for each measurement."""

    def __init__(self, *args):
        self.process = subprocess.Popen([LOADCMP, "serve", "--listen", "127.0.0.1:0", "--until-stdin-closes", *args],
                                        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = None
        for line in self.process.stderr:
            if found := re.search(r"http://\S+", line):
                self.url = found.group(0).rstrip("/")
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=10)


def cpu_of(command, **more):
    """Runs a command; its output, CPU seconds, wall seconds and peak memory in KiB."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    out, errors = process.communicate()
    wall = time.monotonic() - started
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    # 4: the audit calls the run invalid, as one of a single request is.
    if process.returncode not in (0, 4):
        sys.exit(f"bench: {command[0]} ended with {process.returncode}:\n{errors}\n{out}")
    return out, usage, wall


def measured(command, **more):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out, after, wall = cpu_of(command, **more)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return out, cpu, wall


def scenario(folder, stream, users, load, tokens, prompts=None):
    path = folder / "bench.yaml"
    source = {"jsonl": {"path": "prompts.jsonl"}} if prompts else {"inline": [{"text": TICKET}]}
    if prompts:
        (folder / "prompts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in prompts))
    path.write_text(json.dumps({
        "name": "bench", "task": "generate", "seed": 1,
        "targets": {"standin": {"ollama": {"url": "${BENCH_URL}"}}},
        "workload": {"prompts": source, "format": "raw", "stream": stream,
                     "sampling": {"max_tokens": tokens, "temperature": 0}},
        "load": {"closed": {"users": users, **load}},
    }))
    return path


def body_of(path, folder):
    """The bytes that loadcmp sends, read off a socket: oha sends the same."""
    with Server("--record", str(folder / "body.csv")) as server:
        host, port = server.url.removeprefix("http://").split(":")
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


def run(path, folder, name, url, more=()):
    out = folder / name
    shutil.rmtree(out, ignore_errors=True)
    _, cpu, wall = measured([LOADCMP, "run", path, "--out", out, "--quiet", *more], env={**os.environ, "BENCH_URL": url})
    with open(out / "samples.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["outcome"] == "ok"]
    return rows, cpu, wall


def rate_of(rows):
    rows = [row for row in rows if row["phase"] == "measure"]
    first = min(float(row["planned_us"]) for row in rows)
    last = max(float(row["end_us"]) for row in rows)
    return len(rows) / (last - first) * 1e6


def against_oha(folder, args, stream):
    load = {"duration": f"{args.seconds}s"}
    path = scenario(folder, stream, args.users, load, 16)
    body = folder / "body.json"
    body.write_bytes(body_of(path, folder))
    rounds = []
    for number in range(args.rounds):
        figures = {}
        order = ["loadcmp", "oha"] if number % 2 == 0 else ["oha", "loadcmp"]
        for tool in order:
            with Server() as server:
                if tool == "loadcmp":
                    rows, cpu, _ = run(path, folder, "run", server.url)
                    figures[tool] = (rate_of(rows), cpu / len(rows) * 1e6)
                else:
                    out, cpu, _ = measured([oha_program(), "-c", str(args.users), "-z", f"{args.seconds}s", "-m", "POST",
                                            "-D", str(body), "-T", "application/json", "--no-tui", "--output-format", "json",
                                            server.url + "/api/generate"])
                    told = json.loads(out)
                    count = sum(told["statusCodeDistribution"].values())
                    figures[tool] = (told["summary"]["requestsPerSec"], cpu / count * 1e6)
        rounds.append(figures)
        mine, other = figures["loadcmp"], figures["oha"]
        print(f"  round {number + 1}: loadcmp {mine[0]:9.0f}/s {mine[1]:6.2f} us CPU   oha {other[0]:9.0f}/s "
              f"{other[1]:6.2f} us CPU   rate {mine[0] / other[0]:.2f}  CPU {mine[1] / other[1]:.2f}", flush=True)
    rate = statistics.median(r["loadcmp"][0] / r["oha"][0] for r in rounds)
    cpu = statistics.median(r["loadcmp"][1] / r["oha"][1] for r in rounds)
    own = statistics.median(r["loadcmp"][1] for r in rounds)
    print(f"  median of {args.rounds}: loadcmp / oha: rate {rate:.2f}, CPU a request {cpu:.2f}; loadcmp's own {own:.2f} us")


def first_token(folder, args):
    """How far the first token's time is from the stand-in's own record of the same request."""
    prompts = [f"request number {n} of the benchmark" for n in range(3000)]
    spread = ["--jitter", "lognormal", "--jitter-scale", "0.2", "--decode-rate", "200", "--threads", "1"]
    for name, timing in (("spread by a jitter of 0.2", spread), ("all users in step, tokens at once", [])):
        path = scenario(folder, True, args.users, {"requests": len(prompts)}, 4, prompts)
        record = folder / "record.csv"
        record.unlink(missing_ok=True)
        with Server("--first-token-ms", "20", "--slots", "64", "--record", str(record), *timing) as server:
            rows, _, _ = run(path, folder, "ttft", server.url)
        with open(record, newline="") as file:
            served = {row["text_hash"]: row for row in csv.DictReader(file)}
        errors = []
        for row in rows:
            text = prompts[int(row["item"]) - 1]
            own = served.get(hashlib.sha256(text.encode()).hexdigest()[:16])
            if row["phase"] == "measure" and own:
                told = float(row["first_token_us"]) - float(row["sent_us"])
                errors.append(told - (float(own["first_token_us"]) - float(own["arrived_us"])))
        errors.sort()
        if not errors:
            sys.exit("bench: no request of the run was found in the stand-in's record")
        at = lambda q: errors[min(len(errors) - 1, int(q * len(errors)))]
        print(f"  {name}: {len(errors)} requests, {args.users} users, measured less served: "
              f"p50 {at(.5):.0f} us, p99 {at(.99):.0f} us")


def memory(folder, args):
    """Peak memory over ten times the requests."""
    peaks = []
    for count in (20_000, 200_000):
        path = scenario(folder, False, args.users, {"requests": count}, 16)
        with Server() as server:
            probe = ["/usr/bin/env", "python3", "-c",
                     "import resource,subprocess,sys; subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL);"
                     "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"]
            out = folder / "memory"
            shutil.rmtree(out, ignore_errors=True)
            told = subprocess.run([*probe, LOADCMP, "run", path, "--out", out, "--quiet"], text=True, check=True,
                                  capture_output=True, env={**os.environ, "BENCH_URL": server.url})
            peaks.append(int(told.stdout.split()[-1]) / 1024)
    print(f"  peak memory: {peaks[0]:.1f} MiB after 20,000 requests, {peaks[1]:.1f} MiB after 200,000")


def start_up(folder, args):
    """A whole run of one request: an upper bound of the time to the first request."""
    for driver in ("native", "goose"):
        walls = []
        path = scenario(folder, False, 1, {"requests": 1}, 1)
        with Server() as server:
            for _ in range(args.rounds):
                walls.append(run(path, folder, "start", server.url, ["--driver", driver])[2] * 1e3)
        print(f"  a whole run of one request, start to exit, driver {driver}: median {statistics.median(walls):.0f} ms")


def keep(told, args):
    """Writes figures beside and renames."""
    if args.json:
        beside = pathlib.Path(args.json + ".part")
        beside.write_text(json.dumps(told, indent=2) + "\n")
        beside.rename(args.json)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--only", choices=["plain", "stream", "first-token", "memory", "start", "pacing"])
    parser.add_argument("--json", help="write the pacing's figures there")
    args = parser.parse_args()
    parts = {
        "plain": ("plain requests, whole answers, zero delay", lambda f: against_oha(f, args, False)),
        "stream": ("streams of 16 chunks, zero delay", lambda f: against_oha(f, args, True)),
        "first-token": ("first token at 20 ms", lambda f: first_token(f, args)),
        "memory": ("memory", lambda f: memory(f, args)),
        "start": ("start-up", lambda f: start_up(f, args)),
        "pacing": ("pacing, 1,000 requests a second", lambda f: keep(pacing.measure(sys.modules[__name__], f, args), args)),
    }
    load = os.getloadavg()[0]
    print(f"load average before: {load:.2f} on {os.cpu_count()} cores")
    for key, (title, part) in parts.items():
        if args.only in (None, key):
            print(title)
            with tempfile.TemporaryDirectory() as folder:
                part(pathlib.Path(folder))


if __name__ == "__main__":
    main()
