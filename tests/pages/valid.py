"""Holds a report.json against its schema: python valid.py SCHEMA REPORT. Prints what is wrong; fails if anything is."""

import json
import sys

import jsonschema

with open(sys.argv[1]) as schema, open(sys.argv[2]) as report:
    schema, report = json.load(schema), json.load(report)
jsonschema.Draft7Validator.check_schema(schema)
wrong = sorted(jsonschema.Draft7Validator(schema).iter_errors(report), key=lambda error: list(error.path))
for error in wrong[:10]:
    print(f"FAILED  {sys.argv[2]}: {'/'.join(map(str, error.path))}: {error.message[:300]}")
sys.exit(1 if wrong else 0)
