"""The official Python client of OpenAI, unchanged, against a running stand-in: openai_python.py URL."""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
model = client.models.list().data[0].id
assert model == "standin" and client.models.retrieve(model).object == "model"

messages = [{"role": "user", "content": "hello"}]
whole = client.chat.completions.create(model=model, messages=messages, max_tokens=4)
assert whole.choices[0].finish_reason == "length" and whole.usage.completion_tokens == 4, whole
assert whole.timings["predicted_n"] == 4, whole

usage = {"include_usage": True}
chunks = list(client.chat.completions.create(model=model, messages=messages, max_tokens=4, stream=True, stream_options=usage))
assert chunks[0].choices[0].delta.role == "assistant" and chunks[0].choices[0].delta.content is None
said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
assert said == whole.choices[0].message.content
assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == 6, chunks[-1]
assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "length"

plain = list(client.chat.completions.create(model=model, messages=messages, max_tokens=4, stream=True))
assert all(chunk.usage is None for chunk in plain) and len(plain) == 6

text = client.completions.create(model=model, prompt="one two", max_tokens=3)
assert text.object == "text_completion" and len(text.choices[0].text.split()) == 3
pieces = list(client.completions.create(model=model, prompt="one two", max_tokens=3, stream=True))
assert "".join(piece.choices[0].text for piece in pieces) == text.choices[0].text

whole = client.responses.create(model=model, input="hello", max_output_tokens=4)
assert whole.status == "incomplete" and whole.incomplete_details.reason == "max_output_tokens", whole
assert whole.usage.output_tokens == 4 and len(whole.output_text.split()) == 4, whole
events = list(client.responses.create(model=model, input="hello", max_output_tokens=4, stream=True))
said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
assert said == whole.output_text and events[-1].type == "response.incomplete", events[-1]
assert [event.sequence_number for event in events] == list(range(len(events)))

schema = {"type": "object", "properties": {"label": {"type": "string", "enum": ["bug", "praise"]}}}
form = {"type": "json_schema", "json_schema": {"name": "label", "schema": schema}}
praise = [{"role": "user", "content": "much praise"}]
answer = client.chat.completions.create(model=model, messages=praise, response_format=form)
assert answer.choices[0].message.content == '{"label": "praise"}' and answer.choices[0].finish_reason == "stop"

# By default this client asks for base64 and unpacks it itself.
packed = client.embeddings.create(model=model, input=["a boat", "a bag"])
plain = client.embeddings.create(model=model, input=["a boat", "a bag"], encoding_format="float")
assert len(packed.data) == 2 and len(packed.data[0].embedding) == 384
assert all(abs(a - b) < 1e-6 for a, b in zip(packed.data[1].embedding, plain.data[1].embedding))

try:
    client.chat.completions.create(model=model, messages=[])
except openai.BadRequestError as error:
    assert error.type == "invalid_request_error", error
else:
    raise AssertionError("an empty conversation was answered")
