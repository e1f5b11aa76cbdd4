"""Every query of docs/history.md, run as it stands there with DuckDB and pandas on runs against the stand-in, and the
types that the columns get. Arguments: loadcmp, docs/history.md, the stand-in's URL."""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile

import duckdb
import pandas

loadcmp, page, url = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3].rstrip("/")
SCENARIO = f"""
name: tables
task: TASK
seed: 5
targets:
  a: {{ ollama: {{ url: "{url}" }} }}
  b: {{ openai: {{ url: "{url}" }} }}
reference: b
allow_same_endpoint: true
workload:
  PROMPTS
  sampling: {{ max_tokens: 3 }}
load: {{ closed: {{ users: 2, requests: 30 }} }}
"""
PROMPTS = [
    """prompts: { inline: [ { text: one }, { text: "=two, \\"quoted\\"" } ] }""",
    """prompts: { inline: [ { text: one, label: x }, { text: two, label: y } ] }\n  labels: [x, y]""",
]
TEXT = {"target", "wire", "phase", "outcome", "finish", "error", "expected_label", "label", "request_hash", "text_hash",
        "remarks", "itl_us", "connection", "prefix_use", "metric", "unit", "run", "filename"}

text = open(page, encoding="utf-8").read()
blocks = lambda language: re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for number, (task, prompts) in enumerate([("generate", 0), ("generate", 0), ("classify", 1)]):
        with open("t.yaml", "w", encoding="utf-8") as file:
            file.write(SCENARIO.replace("TASK", task).replace("PROMPTS", PROMPTS[prompts]))
        name = f"results/tables-20261101T02000{number}Z"
        done = subprocess.run([loadcmp, "run", "t.yaml", "--quiet", "--out", name], capture_output=True, text=True, check=False)
        # 4: what a busy machine makes of a run is not what is looked at here.
        assert done.returncode in (0, 4), done.stderr

    # Compressed rows are read as they are.
    done = subprocess.run([loadcmp, "run", "t.yaml", "--quiet", "--samples", "zst", "--out", "packed"], capture_output=True, check=False)
    assert done.returncode in (0, 4), done.stderr
    packed = "packed/samples.csv.zst"
    count = duckdb.sql(f"SELECT count(*), max(\"index\") FROM read_csv('{packed}') WHERE phase = 'measure'").fetchall()[0]
    frame = pandas.read_csv(packed)
    frame = frame[frame.phase == "measure"]
    assert (len(frame), frame["index"].max()) == count and count[0] > 10, count

    base = duckdb.connect()
    queries = blocks("sql")
    assert len(queries) >= 10, len(queries)
    for query in queries:
        told = base.sql(query)
        rows = told.fetchall() if told is not None else []
        title = query.splitlines()[0].removeprefix("-- ")
        if re.match("How long|Which requests|Did it|What does a longer|The same prompt|One figure|Which tails", title):
            assert rows, title
    for view in ("samples", "summary"):
        for name, kind, *_ in base.sql(f"DESCRIBE {view}").fetchall():
            want = "VARCHAR" if name in TEXT else "BOOLEAN" if name == "stand_in" else None
            assert kind == want or (want is None and kind in ("BIGINT", "DOUBLE")), (view, name, kind)

    place = {}
    for code in blocks("python"):
        with contextlib.redirect_stdout(io.StringIO()) as told:
            exec(compile(code, "docs/history.md", "exec"), place)  # noqa: S102
        assert "print" not in code or told.getvalue().strip(), code
    for frame in ("samples", "summary"):
        for name, kind in place[frame].dtypes.items():
            want = ("string", "str") if name in TEXT else ("boolean",) if name == "stand_in" else ("Int64", "Float64")
            assert str(kind) in want, (frame, name, kind)
    counted = base.sql("SELECT count(*) FROM samples").fetchall()[0][0]
    assert counted == len(place["samples"]) > 0
