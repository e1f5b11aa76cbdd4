# The two that do all: `make run` and `make test`. Everything is built by cargo.

CARGO ?= cargo
OUT ?=
ARGS ?=

.PHONY: run demo test test-busy lint test-real engines clients pages bench truth truth-short soak shards test-k8s cross release-check help demo-nightly

help: ## This list.
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: ## Build, and compare whatever is found running (stand-ins where nothing is).
	$(CARGO) run --release --quiet -- run scenarios/classify.yaml $(if $(OUT),--out $(OUT))

demo: ## The comparison on real models: installs an Ollama, llama.cpp's server and two small models, and stops them again.
	scripts/demo.sh

# Tests wait for engines most of the time: eight at once, however few cores there are. One of them: `cargo test --test all NAME`.
test: export RUST_TEST_THREADS ?= 8
test: ## Everything that needs no real engine.
	$(CARGO) test --quiet --no-fail-fast

test-busy: ## The same next to two busy loops: a test asserts what is true on a busy machine.
	$(CARGO) test --quiet --no-run
	scripts/once-more.sh scripts/busy.sh 2 $(MAKE) test

lint: ## Formatting, clippy and the docs, warnings denied; the reference of the scenario's fields is the schema's.
	$(CARGO) fmt --check
	python3 scripts/reference.py --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings
	$(CARGO) clippy --no-default-features --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --quiet

engines: ## Install and start the real engines of the tests, on loopback.
	scripts/engines/engines.sh install
	scripts/engines/engines.sh install weights
	scripts/engines/engines.sh install bench || echo "llama-bench: NOT INSTALLED, and its check won't run"
	scripts/engines/engines.sh up ollama-old ollama-new llama llama-embed busy demo-ollama demo-llama demo-embed
	! [ -e $${LOADCMP_ENGINES:-target/engines}/stamps/bench ] || scripts/engines/engines.sh up bench-llama

test-real: ## The tests on real engines; `make engines` first. ARGS="--skip NAME" leaves some out.
	$(CARGO) build --release --quiet
	LOADCMP_BIN=$(CURDIR)/target/release/loadcmp LOADCMP_REAL=1 $(CARGO) test --test real -- --include-ignored --test-threads=1 $(ARGS)

clients: ## The official clients against the stand-in; the queries of docs/history.md.
	$(CARGO) build
	tests/clients/run.sh

pages: ## The pages in a real browser, light and dark, wide and narrow; pictures in target/pages/pictures.
	$(CARGO) build
	tests/pages/run.sh

shards: ## Several generators by MPI and by Slurm, whole and with one killed; as root, with Debian's openmpi-bin, slurm-wlm, munge.
	$(CARGO) build --release --quiet
	scripts/shards/prove.sh

test-k8s: ## The manifests of examples/kubernetes on a real Kubernetes of this machine; as root. Builds it the first time, about 12 min.
	$(CARGO) build --release --quiet
	scripts/k8s/prove.sh

cross: ## Programs for Windows and static Linux, made and used here; macOS compiled. ARGS="TARGET" for one.
	scripts/cross/cross.sh $(ARGS)

release-check: ## What a release publishes, used from outside the checkout: the crate, the wheel, the image, the SBOM.
	scripts/release/crate.sh
	scripts/release/wheel.sh
	scripts/release/image.sh
	scripts/release/sbom.sh target/loadcmp.cdx.json

soak: ## Minutes of load on stand-ins that leak, slow down and stay well; loadcmp's own memory stays flat.
	$(CARGO) build --release --quiet
	LOADCMP_BIN=$(CURDIR)/target/release/loadcmp $(CARGO) test --quiet --test soak -- --include-ignored --nocapture

truth: ## The statistics proved: runs whose truth is known through the fold that users get. ARGS=--keep keeps the figures.
	$(CARGO) bench --quiet --bench truth -- $(ARGS)

truth-short: ## The same in minutes. ARGS=--same after a change that should change no figure: the kept ones then say so.
	$(CARGO) bench --quiet --bench truth -- --short $(ARGS)

bench: ## Speed compared with oha, interleaved: a benchmark, not a test. ARGS="--only pacing" runs one part.
	bench/run.sh $(ARGS)

demo-nightly: ## Two weeks of nights on stand-ins: a regression on night 9 is named, noise on night 5 is not.
	$(CARGO) build --release --quiet
	scripts/demo-nightly/run.sh
