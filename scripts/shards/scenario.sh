# shellcheck shell=bash
# For scripts that read this: the scenario of the proofs. Its engines are at $URL_a and $URL_b, which may be one.
scenario() { # seconds, users
    cat <<YAML
name: s
task: generate
seed: 7
targets:
  a: { openai: { url: "\${URL_a}" } }
  b: { ollama: { url: "\${URL_b}" } }
allow_same_endpoint: true
workload: { prompts: { synthetic: { count: 40, words: { fixed: 6 } } }, sampling: { max_tokens: 4 } }
load: { closed: { users: ${2:-9}, duration: $1s, warmup: 0s } }
timeout: 20s
YAML
}
