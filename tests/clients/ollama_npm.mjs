// The official JavaScript client of Ollama, unchanged, against a running stand-in: ollama_npm.mjs URL.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

// Where run.sh has put it.
const require = createRequire(pathToFileURL(process.env.CLIENTS + '/package.json'))
const { Ollama } = require('ollama')

const client = new Ollama({ host: process.argv[2] })
const gather = async (stream) => {
  const parts = []
  for await (const part of stream) parts.push(part)
  return parts
}

const model = (await client.list()).models[0].name
assert.equal(model, 'standin:latest')
assert.equal((await client.show({ model })).details.format, 'gguf')
assert.match((await client.version()).version, /loadcmp-standin$/)

const options = { num_predict: 5 }
const whole = await client.generate({ model, prompt: 'one two three', options })
assert.deepEqual([whole.done, whole.done_reason, whole.eval_count, whole.prompt_eval_count], [true, 'length', 5, 4])
let parts = await gather(await client.generate({ model, prompt: 'one two three', stream: true, options }))
assert.equal(parts.length, 6)
assert.equal(parts.map((part) => part.response).join(''), whole.response)

const messages = [{ role: 'user', content: 'hello' }]
parts = await gather(await client.chat({ model, messages, stream: true, options }))
assert.equal(parts.length, 6)
assert.ok(parts[5].done && parts[5].total_duration > 0)
const once = await client.chat({ model, messages, options })
assert.equal(parts.map((part) => part.message.content).join(''), once.message.content)

const both = await client.embed({ model, input: ['a boat', 'a bag'] })
assert.deepEqual([both.embeddings.length, both.embeddings[0].length, both.prompt_eval_count], [2, 384, 6])

assert.deepEqual((await client.ps()).models.map((found) => found.name), [model])
await client.generate({ model, prompt: '', keep_alive: 0 })
assert.deepEqual((await client.ps()).models, [])

await assert.rejects(client.generate({ model: 'nope', prompt: 'x' }), /'nope' not found/)
await assert.rejects(client.chat({ model: 'nope', messages, stream: true }), /'nope' not found/)
