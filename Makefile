# Hookgate: what a person types. `make demo` first.

CARGO    ?= cargo
HOOKGATE := target/release/hookgate
PLUGINS  := $(patsubst plugins/%/Cargo.toml,plugins/%,$(wildcard plugins/*/Cargo.toml))

.PHONY: help setup build demo test crash bench lint clean

help:
	@echo "make demo   build everything and see the whole path of an event"
	@echo "make test   run every test"
	@echo "make crash  kill the gateway under load 1000 times (N=1000) and look for what is lost"
	@echo "make bench  how fast it is on this machine, in about 6 minutes"
	@echo "make build  the gateway to $(HOOKGATE), the plugins to target/plugins/"
	@echo "make lint   formatting, clippy, API docs; warnings are errors"

# What a new machine may lack. The wasm compiler is `hookgate plugin build`'s own business.
setup:
	@./setup

build: setup
	$(CARGO) build --release --locked -p hookgate
	$(HOOKGATE) plugin build $(PLUGINS)

demo: build
	$(HOOKGATE) demo

# The guest is a plugin that misbehaves on command; only tests load it. What links wasmtime is
# tested apart from the plugins, whose build macros ask for other features of what wasmtime is built
# with: one command for both would build it twice.
test: build
	$(HOOKGATE) plugin build tests/guest --out target/test-plugins
	$(CARGO) test --release --locked -p hookgate -p hookgate-tests -p hookgate-bench
	$(CARGO) test --release --locked --workspace --exclude hookgate --exclude hookgate-tests \
		--exclude hookgate-bench

# N kills; HOOKGATE_SEED=... draws the same again, as far as the machine lets the same happen.
N ?= 1000
crash: build
	HOOKGATE_CRASH_CYCLES=$(N) $(CARGO) test --release --locked -p hookgate-tests --test scenarios \
		what_was_answered_survives_kill_9 -- --nocapture

# Nothing else should run meanwhile. BENCH="--quick" or "--only NAME" for less.
bench: build
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench $(BENCH)

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps --document-private-items

clean:
	$(CARGO) clean
