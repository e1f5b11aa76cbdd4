"""The official Python client of Ollama, unchanged, against a running stand-in: ollama_python.py URL."""

import sys

import ollama

client = ollama.Client(host=sys.argv[1])
model = client.list().models[0].model
assert model == "standin:latest", model

show = client.show(model)
assert show.details.format == "gguf" and "completion" in show.capabilities, show

whole = client.generate(model=model, prompt="one two three", options={"num_predict": 5})
assert whole.done and whole.done_reason == "length" and whole.eval_count == 5, whole
assert whole.prompt_eval_count == 4 and whole.total_duration >= whole.load_duration > 0, whole

parts = list(client.generate(model=model, prompt="one two three", stream=True, options={"num_predict": 5}))
assert len(parts) == 6 and parts[-1].done and not any(part.done for part in parts[:-1]), parts
assert "".join(part.response for part in parts) == whole.response

messages = [{"role": "user", "content": "hello"}]
parts = list(client.chat(model=model, messages=messages, stream=True, options={"num_predict": 3}))
assert len(parts) == 4 and parts[-1].done_reason == "length", parts
said = "".join(part.message.content for part in parts)
assert client.chat(model=model, messages=messages, options={"num_predict": 3}).message.content == said

schema = {"type": "object", "properties": {"label": {"type": "string", "enum": ["bug", "praise"]}}}
answer = client.chat(model=model, messages=[{"role": "user", "content": "much praise"}], format=schema)
assert answer.message.content == '{"label": "praise"}', answer

both = client.embed(model=model, input=["a boat", "a bag"])
assert len(both.embeddings) == 2 and len(both.embeddings[0]) == 384 and both.prompt_eval_count == 6
assert abs(sum(x * x for x in both.embeddings[0]) - 1) < 1e-4
assert len(client.embeddings(model=model, prompt="a boat").embedding) == 384

assert [m.model for m in client.ps().models] == [model]
assert client.generate(model=model, prompt="", keep_alive=0).done_reason == "unload"
assert client.ps().models == []

for wrong in (lambda: client.generate(model="nope", prompt="x"), lambda: list(client.chat(model="nope", messages=messages, stream=True))):
    try:
        wrong()
    except ollama.ResponseError as error:
        assert error.status_code == 404 and "'nope' not found" in error.error, error
    else:
        raise AssertionError("an unknown model was served")
try:
    client.chat(model=model, messages=messages, think=True)
except ollama.ResponseError as error:
    assert error.status_code == 400 and "does not support thinking" in error.error, error
else:
    raise AssertionError("it thought")
