#!/usr/bin/env bash
# Captures raw answers (head, and body as it was on the wire, chunk sizes included) of the engines that `engines.sh up
# ollama-old ollama-new llama llama-embed busy` runs, into tests/captures/<engine>-<version>/<case>.txt: the parsers' fixtures.
# It kills model runners on the way, and ends with each folder's cases.md, which has the request behind each file.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repo=$(cd "$here/../.." && pwd -P)
out=$repo/tests/captures
eval "$("$here/engines.sh" env)"
cache=$LOADCMP_ENGINES
[ -n "${LOADCMP_REAL_OLLAMA_BUSY:-}" ] || {
    echo "run '$here/engines.sh up ollama-old ollama-new llama llama-embed busy' first" >&2
    exit 1
}

curl_raw() { curl -isS --raw -N --noproxy '*' -m 60 "$@"; }

folder='' base=''
# into FOLDER URL
into() {
    folder=$out/$1 base=$2
    mkdir -p "$folder"
    rm -f "$folder"/*.txt
    printf 'Raw answers of %s; see scripts/engines/capture.sh.\n\n| case | request |\n|---|---|\n' "$1" >"$folder/cases.md"
}

# A long run of the same word is named by its length.
note() {
    local text
    text=$(sed -E 's/(babe ){50,}/(babe, a great many times) /' <<<"$2")
    printf '| %s | %s |\n' "$1" "${text//|/\\|}" >>"$folder/cases.md"
}

check_size() {
    local size
    size=$(wc -c <"$folder/$1.txt")
    [ "$size" -le 8192 ] || echo "$folder/$1.txt: $size bytes" >&2
    if grep -l -e "$cache" -e "$HOME/" "$folder/$1.txt" >&2; then echo "...names a path of this machine" >&2; fi
}

# case_get NAME PATH [curl option...], case_post NAME PATH BODY
case_get() {
    local name=$1 path=$2
    shift 2
    note "$name" "\`GET $path\` $*"
    curl_raw "$@" "$base$path" >"$folder/$name.txt" || true
    check_size "$name"
}
case_post() {
    note "$1" "\`POST $2\` \`$3\`"
    curl_raw "$base$2" -H 'Content-Type: application/json' -d "$3" >"$folder/$1.txt" || true
    check_size "$1"
}

# case_killed NAME PATH BODY COMMAND...: the command is run once the answer has begun.
case_killed() {
    local name=$1 path=$2 body=$3 tries=0
    shift 3
    note "$name" "\`POST $path\` \`$body\`, its runner killed in mid-stream"
    : >"$folder/$name.txt"
    curl_raw "$base$path" -H 'Content-Type: application/json' -d "$body" >"$folder/$name.txt" 2>/dev/null &
    local client=$!
    until [ "$(wc -c <"$folder/$name.txt")" -ge 600 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 1000 ] || break
        sleep 0.01
    done
    "$@"
    local code=0
    wait "$client" || code=$?
    note "" "(curl's exit status: $code)"
    check_size "$name"
}

# The runner of a model: the child of `ollama serve` whose command line names the model's blob.
kill_runner() {
    local name=$1 model=$2 blob
    blob=$(curl -sS --noproxy '*' "$base/api/show" -d "{\"model\":\"$model\"}" | grep -o 'sha256-[0-9a-f]\{64\}' | head -n 1)
    pkill -KILL -P "$(cat "$cache/run/$name.pid")" -f -- "$blob"
}

G='"options":{"temperature":0,"num_predict":8,"num_ctx":2048,"num_thread":1}'
SCHEMA='{"type":"object","properties":{"label":{"type":"string","enum":["pos","neg"]}},"required":["label"]}'

LONG_MESSAGES='{"model":"mid","messages":[{"role":"user","content":"babe babi"}],"max_tokens":1500,"temperature":0,"stream":true}'
LONG_RESPONSES='{"model":"mid","input":[{"role":"user","content":"babe babi"}],"max_output_tokens":1500,"temperature":0,"stream":true}'

# Anthropic's and OpenAI's newer APIs.
apis() {
    local messages='"model":"cyc","messages":[{"role":"user","content":"babe babi"}],"system":"bobo","max_tokens":8,"temperature":0'
    local responses='"model":"cyc","input":[{"role":"user","content":"babe babi"}],"instructions":"bobo","max_output_tokens":8,"temperature":0'
    case_post messages /v1/messages "{$messages}"
    case_post messages-stream /v1/messages "{$messages,\"stream\":true}"
    case_post responses /v1/responses "{$responses}"
    case_post responses-stream /v1/responses "{$responses,\"stream\":true}"
    case_post error-unknown-model-messages /v1/messages "{\"model\":\"nope\",\"messages\":[{\"role\":\"user\",\"content\":\"babe\"}],\"max_tokens\":2}"
    case_post error-unknown-model-responses /v1/responses '{"model":"nope","input":"babe","max_output_tokens":2}'
    case_post error-missing-messages-messages /v1/messages '{"model":"cyc","max_tokens":4}'
    case_post error-missing-input /v1/responses '{"model":"cyc"}'
}

ollama() {
    local name=$1
    case_get root /
    case_get version /api/version
    case_get tags /api/tags
    case_post generate-load /api/generate "{\"model\":\"cyc\",\"stream\":false,\"options\":{\"num_ctx\":2048,\"num_thread\":1}}"
    case_post generate /api/generate "{\"model\":\"cyc\",\"prompt\":\"babe babi\",\"raw\":true,\"stream\":false,$G}"
    case_post generate-stream /api/generate "{\"model\":\"cyc\",\"prompt\":\"bobe bobi\",\"raw\":true,$G}"
    case_post generate-stream-cached /api/generate "{\"model\":\"cyc\",\"prompt\":\"bobe bobi\",\"raw\":true,$G}"
    case_post generate-stream-context /api/generate "{\"model\":\"cyc\",\"prompt\":\"bube bubi\",$G}"
    case_post generate-stream-one /api/generate "{\"model\":\"cyc\",\"prompt\":\"bobe bobi\",\"raw\":true,\"options\":{\"temperature\":0,\"num_predict\":1,\"num_ctx\":2048,\"num_thread\":1}}"
    case_post generate-stream-stop /api/generate "{\"model\":\"cyc\",\"prompt\":\"babe babi\",\"raw\":true,\"options\":{\"temperature\":0,\"num_predict\":8,\"num_ctx\":2048,\"num_thread\":1,\"stop\":[\"bace\"]}}"
    case_post generate-truncated /api/generate "{\"model\":\"cyc\",\"prompt\":\"$(printf 'babe %.0s' $(seq 900))babi\",\"raw\":true,\"stream\":false,\"options\":{\"temperature\":0,\"num_predict\":8,\"num_ctx\":512,\"num_thread\":1}}"
    case_post generate-schema /api/generate "{\"model\":\"cyc\",\"prompt\":\"babe babi\",\"raw\":true,\"stream\":false,\"format\":$SCHEMA,\"options\":{\"temperature\":0,\"num_predict\":40,\"num_ctx\":2048,\"num_thread\":1}}"
    case_post generate-json-stream /api/generate "{\"model\":\"cyc\",\"prompt\":\"babe babi\",\"raw\":true,\"format\":\"json\",\"options\":{\"temperature\":0,\"num_predict\":20,\"num_ctx\":2048,\"num_thread\":1}}"
    case_post chat /api/chat "{\"model\":\"cyc\",\"messages\":[{\"role\":\"user\",\"content\":\"babe babi\"}],\"stream\":false,$G}"
    case_post chat-stream /api/chat "{\"model\":\"cyc\",\"messages\":[{\"role\":\"user\",\"content\":\"babe babi\"}],$G}"
    case_post chat-schema /api/chat "{\"model\":\"cyc\",\"messages\":[{\"role\":\"user\",\"content\":\"babe babi\"}],\"stream\":false,\"format\":$SCHEMA,\"options\":{\"temperature\":0,\"num_predict\":40,\"num_ctx\":2048,\"num_thread\":1}}"
    case_post embed /api/embed "{\"model\":\"emb\",\"input\":[\"babe babi\",\"bobo\"]}"
    case_post embeddings-old-route /api/embeddings "{\"model\":\"emb\",\"prompt\":\"babe babi\"}"
    case_get ps /api/ps
    case_post openai-chat /v1/chat/completions "{\"model\":\"cyc\",\"messages\":[{\"role\":\"user\",\"content\":\"babe babi\"}],\"temperature\":0,\"max_tokens\":8}"
    case_post openai-chat-stream /v1/chat/completions "{\"model\":\"cyc\",\"messages\":[{\"role\":\"user\",\"content\":\"babe babi\"}],\"temperature\":0,\"max_tokens\":8,\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
    case_post openai-completions-stream /v1/completions "{\"model\":\"cyc\",\"prompt\":\"babe babi\",\"temperature\":0,\"max_tokens\":8,\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
    case_post openai-embeddings /v1/embeddings "{\"model\":\"emb\",\"input\":[\"babe babi\",\"bobo\"]}"
    case_get openai-models /v1/models
    # 0.11.4 has neither.
    [ "$name" = ollama-old ] || apis
    case_post error-unknown-model /api/generate '{"model":"nope","prompt":"babe"}'
    case_post error-unknown-model-chat /api/chat '{"model":"nope","messages":[{"role":"user","content":"babe"}]}'
    case_post error-unknown-model-embed /api/embed '{"model":"nope","input":"babe"}'
    case_post error-unknown-model-openai /v1/chat/completions '{"model":"nope","messages":[{"role":"user","content":"babe"}],"stream":true}'
    case_post error-missing-model /api/generate '{"prompt":"babe"}'
    case_post error-bad-json /api/generate '{"model":"cyc",'
    case_post error-empty-body /api/generate ''
    case_post error-option-type /api/generate '{"model":"cyc","prompt":"babe","options":{"num_ctx":"many"}}'
    case_post error-bad-format /api/generate '{"model":"cyc","prompt":"babe","format":"yaml"}'
    # 0.11.4 names its maker's registry in this answer, which is no business of ours.
    [ "$name" = ollama-old ] || case_post error-think /api/generate '{"model":"cyc","prompt":"babe","think":true}'
    case_post error-generate-on-embedder /api/generate '{"model":"emb","prompt":"babe"}'
    case_post embed-on-generator /api/embed '{"model":"cyc","input":"babe"}'
    case_post error-embed-too-long /api/embed "{\"model\":\"emb\",\"truncate\":false,\"input\":\"$(printf 'babe %.0s' $(seq 2500))\"}"
    case_get error-wrong-path /api/nope
    case_get error-wrong-method /api/generate
    case_post generate-unload /api/generate '{"model":"cyc","stream":false,"keep_alive":0}'
    # Loaded first, so that nothing but the generation is cut.
    M='"options":{"temperature":0,"num_predict":1500,"num_ctx":2048,"num_thread":1}'
    case_killed killed-runner-generate /api/generate "{\"model\":\"mid\",\"prompt\":\"babe babi\",\"raw\":true,$M}" kill_runner "$name" mid
    case_killed killed-runner-chat /api/chat "{\"model\":\"mid\",\"messages\":[{\"role\":\"user\",\"content\":\"babe babi\"}],$M}" kill_runner "$name" mid
    if [ "$name" != ollama-old ]; then
        case_killed killed-runner-messages /v1/messages "$LONG_MESSAGES" kill_runner "$name" mid
        case_killed killed-runner-responses /v1/responses "$LONG_RESPONSES" kill_runner "$name" mid
    fi
    case_killed killed-runner-openai /v1/chat/completions "{\"model\":\"mid\",\"messages\":[{\"role\":\"user\",\"content\":\"babe babi\"}],\"max_tokens\":1500,\"stream\":true,\"stream_options\":{\"include_usage\":true}}" kill_runner "$name" mid
    case_post generate-after-kill /api/generate "{\"model\":\"mid\",\"prompt\":\"babe babi\",\"raw\":true,\"stream\":false,$G}"
    curl -sS --noproxy '*' -o /dev/null "$base/api/generate" -d '{"model":"mid","keep_alive":0}'
}

# A cold model and more requests at once than the queue holds.
queue_full() {
    local number scratch
    scratch=$(mktemp -d)
    curl -sS --noproxy '*' -o /dev/null "$LOADCMP_REAL_OLLAMA_BUSY/api/generate" -d '{"model":"cyc","keep_alive":0}'
    sleep 1
    local pids=()
    for number in 1 2 3 4 5 6; do
        curl_raw "$LOADCMP_REAL_OLLAMA_BUSY/api/generate" -d "{\"model\":\"cyc\",\"prompt\":\"babe babi\",\"raw\":true,$G}" >"$scratch/$number" &
        pids+=($!)
    done
    wait "${pids[@]}"
    note error-queue-full "six \`POST /api/generate\` at once on a server with OLLAMA_MAX_QUEUE=1, model not loaded: $(head -qn 1 "$scratch"/* | tr -d '\r' | sort | uniq -c | tr -s ' \n' ' ')"
    cp "$(grep -l ' 503 ' "$scratch"/* | head -n 1)" "$folder/error-queue-full.txt" || echo "no 503" >&2
    rm -r "$scratch"
}

llama() {
    local S='"temperature":0,"n_predict":8'
    case_get health /health
    case_get props /props
    case_get slots /slots
    case_get models /v1/models
    case_post tokenize /tokenize '{"content":"babe babi","add_special":true}'
    case_post completion /completion "{\"prompt\":\"babe babi\",$S}"
    case_post completion-stream /completion "{\"prompt\":\"bobe bobi\",\"stream\":true,$S}"
    case_post completion-stream-cached /completion "{\"prompt\":\"bobe bobi\",\"stream\":true,$S}"
    case_post completion-stream-one /completion '{"prompt":"bobe bobi","stream":true,"temperature":0,"n_predict":1}'
    case_post completion-stream-stop /completion "{\"prompt\":\"babe babi\",\"stream\":true,\"stop\":[\"bace\"],$S}"
    case_post completion-stream-progress /completion "{\"prompt\":\"bube bubi\",\"stream\":true,\"return_progress\":true,$S}"
    case_post completion-grammar /completion "{\"prompt\":\"babe babi\",\"grammar\":\"root ::= \\\"pos\\\" | \\\"neg\\\"\",$S}"
    case_post openai-completions-stream /v1/completions '{"prompt":"babe babi","temperature":0,"max_tokens":8,"stream":true,"stream_options":{"include_usage":true}}'
    case_post openai-chat /v1/chat/completions '{"messages":[{"role":"user","content":"babe babi"}],"temperature":0,"max_tokens":8}'
    case_post openai-chat-stream /v1/chat/completions '{"messages":[{"role":"user","content":"babe babi"}],"temperature":0,"max_tokens":8,"stream":true,"stream_options":{"include_usage":true}}'
    case_post openai-chat-stream-no-usage /v1/chat/completions '{"messages":[{"role":"user","content":"babe babi"}],"temperature":0,"max_tokens":4,"stream":true}'
    case_post openai-chat-schema /v1/chat/completions "{\"messages\":[{\"role\":\"user\",\"content\":\"babe babi\"}],\"temperature\":0,\"max_tokens\":40,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"l\",\"schema\":$SCHEMA}}}"
    apis
    case_post unknown-model /v1/chat/completions '{"model":"nope","messages":[{"role":"user","content":"babe"}],"temperature":0,"max_tokens":2}'
    case_post error-bad-json /completion '{"prompt":'
    case_post error-empty-body /completion ''
    case_post error-missing-prompt /completion '{"n_predict":4}'
    case_post error-missing-messages /v1/chat/completions '{"max_tokens":4}'
    case_post error-too-long /completion "{\"prompt\":\"$(printf 'babe %.0s' $(seq 3000))babi\",\"stream\":true,$S}"
    case_post error-embed-on-generator /v1/embeddings '{"input":"babe"}'
    case_get error-wrong-path /nope
    case_get error-wrong-method /completion
    case_get metrics /metrics
    base=$LOADCMP_REAL_LLAMA_EMBED
    case_post embed-openai /v1/embeddings '{"input":["babe babi","bobo"]}'
    case_post embed-own /embedding '{"content":"babe babi"}'
    case_post embed-error-generate /completion '{"prompt":"babe"}'
    case_post embed-error-too-long /v1/embeddings "{\"input\":\"$(printf 'babe %.0s' $(seq 600))\"}"

    # A separate server with the slower model and 512 tokens a slot, to be caught at loading and in the end killed.
    base=http://127.0.0.1:21439
    (
        cd "$cache/models"
        exec "$cache/venv/bin/python" "$cache/llama.cpp/llama-server" -m mid.gguf -a mid --port 21439 -np 2 -c 1024 -t 1 </dev/null >/dev/null 2>&1
    ) &
    server=$!
    trap 'kill -KILL "$server" 2>/dev/null || true' EXIT
    note loading "\`GET /health\` while the model is being loaded"
    until curl_raw "$base/health" >"$folder/loading.txt" 2>/dev/null; do sleep 0.02; done
    until curl -fs --noproxy '*' -o /dev/null "$base/health"; do sleep 0.1; done
    if grep -q ' 200 ' "$folder/loading.txt"; then rm "$folder/loading.txt"; fi
    disown "$server"
    case_post completion-stream-truncated /completion "{\"prompt\":\"$(printf 'babe %.0s' $(seq 500))babi\",\"stream\":true,\"temperature\":0,\"n_predict\":40}"
    case_post messages-stream-prompt-too-long /v1/messages "{\"model\":\"mid\",\"messages\":[{\"role\":\"user\",\"content\":\"$(printf 'babe %.0s' $(seq 600))\"}],\"max_tokens\":8,\"stream\":true}"
    case_killed killed-server-completion /completion '{"prompt":"babe babi","stream":true,"temperature":0,"n_predict":1500}' kill -KILL "$server"
}

into ollama-0.11.4 "$LOADCMP_REAL_OLLAMA_OLD"
ollama ollama-old
queue_full
into ollama-0.34.1 "$LOADCMP_REAL_OLLAMA_NEW"
ollama ollama-new
into llama.cpp-2026.10.11549 "$LOADCMP_REAL_LLAMA"
llama
du -bs "$out"/* | sed "s#$repo/##"
