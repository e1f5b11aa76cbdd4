"""The official Python client of Anthropic, unchanged, against a running stand-in: anthropic_python.py URL."""

import sys

import anthropic

client = anthropic.Anthropic(base_url=sys.argv[1], api_key="none", max_retries=0)
asked = {"model": "standin", "max_tokens": 4, "messages": [{"role": "user", "content": "hello"}]}
whole = client.messages.create(**asked)
assert whole.stop_reason == "max_tokens" and whole.usage.output_tokens == 4 and whole.usage.input_tokens == 2, whole

with client.messages.stream(**asked, system="be brief") as stream:
    pieces = list(stream.text_stream)
    last = stream.get_final_message()
assert len(pieces) == 4 and "".join(pieces) == last.content[0].text, pieces
assert last.stop_reason == "max_tokens" and last.usage.output_tokens == 4, last

try:
    client.messages.create(**{**asked, "messages": []})
except anthropic.BadRequestError as error:
    assert error.body["error"]["type"] == "invalid_request_error", error
else:
    raise AssertionError("an empty conversation was answered")
