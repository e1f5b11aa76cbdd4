#!/usr/bin/env python3
"""llama.cpp's own HTTP server behind llama-server's command line, without compiling it.

Ollama 0.30 and later starts a program called `llama-server` for each loaded model. This launcher is that program: it
takes the options that Ollama passes, and runs the server inside the PyPI wheel `xllamacpp`, which is llama.cpp's.
engines.sh puts it (run bit set, first line naming an interpreter that has the wheel) at
`<ollama's folder>/../lib/ollama/llama-server`, and runs the native side with it too.
Like llama-server, it takes LLAMA_ARG_THREADS, LLAMA_ARG_CACHE_RAM and LLAMA_ARG_ENDPOINT_METRICS from the environment
where the command line says nothing; a child of Ollama inherits them.
Options that it doesn't know are reported on standard error and otherwise passed over: it must start wherever Ollama starts it.
"""
import argparse
import os
import signal
import sys
import threading


def number(variable):
    """The whole number in an environment variable, or None."""
    try:
        return int(os.environ[variable])
    except (KeyError, ValueError):
        return None


def arguments(argv):
    parser = argparse.ArgumentParser(prog="llama-server", allow_abbrev=False)
    add = parser.add_argument
    add("-m", "--model")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8080)
    add("-c", "--ctx-size", type=int, default=0)
    add("-np", "--parallel", type=int, default=1)
    add("-b", "--batch-size", type=int, default=2048)
    add("-ub", "--ubatch-size", type=int, default=512)
    add("-t", "--threads", type=int, default=number("LLAMA_ARG_THREADS"))
    add("-tb", "--threads-batch", type=int)
    add("-a", "--alias")
    add("-ngl", "--n-gpu-layers", default=None)
    add("--keep", type=int, default=0)
    add("--cache-ram", type=int, default=number("LLAMA_ARG_CACHE_RAM"))
    add("--chat-template")
    add("--embedding", "--embeddings", action="store_true", dest="embedding")
    add("--metrics", action="store_true", default=os.environ.get("LLAMA_ARG_ENDPOINT_METRICS") in ("1", "true", "on"))
    add("--context-shift", action="store_true")
    add("--no-jinja", action="store_true")
    add("--no-warmup", action="store_true")
    add("--list-devices", action="store_true")
    add("--version", action="store_true")
    # Accepted because Ollama passes them; without effect on a CPU, or the server's default already.
    for flag in ("--no-webui", "--offline", "--no-log-prefix", "--no-log-timestamps", "--verbose"):
        add(flag, action="store_true")
    for option in ("--log-verbosity", "--flash-attn", "--load-mode", "--cache-type-k", "--cache-type-v", "--device"):
        add(option)
    return parser.parse_known_args(argv)


def main():
    options, unknown = arguments(sys.argv[1:])
    if unknown:
        print("llama-server launcher: passed over:", " ".join(unknown), file=sys.stderr)
    if options.list_devices:
        print("Available devices:")
        return 0
    import xllamacpp

    if options.version:
        print("version: 0 (xllamacpp", getattr(xllamacpp, "__version__", "?") + ")", file=sys.stderr)
        return 0
    if not options.model:
        print("llama-server launcher: no --model given", file=sys.stderr)
        return 1

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.hostnames = [options.host]
    params.port = options.port
    params.n_ctx = options.ctx_size
    params.n_parallel = options.parallel
    params.n_batch = options.batch_size
    params.n_ubatch = options.ubatch_size
    params.n_keep = options.keep
    params.n_gpu_layers = 0
    params.embedding = options.embedding
    params.endpoint_metrics = options.metrics
    params.ctx_shift = options.context_shift
    params.warmup = not options.no_warmup
    params.offline = True
    params.ui = False
    if options.threads:
        params.cpuparams.n_threads = options.threads
        params.cpuparams_batch.n_threads = options.threads_batch or options.threads
    if options.cache_ram is not None:
        params.cache_ram_mib = options.cache_ram
    if options.no_jinja:
        params.use_jinja = False
    if options.chat_template:
        params.chat_template = options.chat_template
    if options.alias:
        params.model_alias = {options.alias}

    server = xllamacpp.Server(params)
    print("server is listening on", server.listening_address, file=sys.stderr, flush=True)
    stop = threading.Event()
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, lambda *_: stop.set())
    stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
