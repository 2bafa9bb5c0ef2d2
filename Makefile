# Hookgate: what a person types. `make demo` first.

CARGO    ?= cargo
HOOKGATE := target/release/hookgate
PLUGINS  := $(patsubst plugins/%/Cargo.toml,plugins/%,$(wildcard plugins/*/Cargo.toml))

.PHONY: help setup build dist docs demo test crash fuzz bench bench-compare bench-isolation lint deny msrv \
	clean

help:
	@echo "make demo   build everything and see the whole path of an event"
	@echo "make test   run every test"
	@echo "make crash  kill the gateway under load 1000 times (N=1000) and look for what is lost"
	@echo "make fuzz   10 million requests that nobody would send (N=10000000), to every provider,"
	@echo "            what 1 MiB of the worst kind costs each provider before anything is proven, and"
	@echo "            100,000 plugin files that nobody would write (FILES=100000)"
	@echo "make bench  how fast it is on this machine, in about 6 minutes"
	@echo "make bench-compare REV=...  this tree against another revision, in about 50 minutes"
	@echo "make bench-isolation  what those who behave keep beside those who do not, in about 25 minutes"
	@echo "make build  the gateway to $(HOOKGATE), the plugins to target/plugins/"
	@echo "make dist   what to install, to target/dist/: the gateway stripped, its debug information beside it"
	@echo "make docs   the table of providers in plugins/README.md"
	@echo "make lint   formatting, clippy, API docs; warnings are errors"
	@echo "make deny   licences, sources and known vulnerabilities of the dependencies (cargo-deny)"
	@echo "make msrv   type-check everything with the oldest Rust that Cargo.toml promises"

# What a new machine may lack. The wasm compiler is `hookgate plugin build`'s own business.
setup:
	@./setup

build: setup
	$(CARGO) build --release --locked -p hookgate
	$(HOOKGATE) plugin build $(PLUGINS)

# What cargo built stays whole: cargo takes it for its own. `hookgate` finds `hookgate.debug` where it
# lies beside it, and its backtraces then have files and lines; without it they have names. cargo's
# split-debuginfo can't do that: the line tables stay in the program, and stripping removes them.
OBJCOPY ?= objcopy
dist: build
	mkdir -p target/dist
	$(OBJCOPY) --only-keep-debug --compress-debug-sections=zlib $(HOOKGATE) target/dist/hookgate.debug
	cd target/dist && $(OBJCOPY) --strip-debug --add-gnu-debuglink=hookgate.debug \
		../../$(HOOKGATE) hookgate

# The table of providers; a test says when it is not true any more.
docs: build
	$(HOOKGATE) provider list --markdown > target/providers.md
	sed -i -e '/^<!-- providers -->$$/,/^<!-- end -->$$/{//!d}' \
		-e '/^<!-- providers -->$$/r target/providers.md' plugins/README.md

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

# N requests that nobody would send, shared out among the providers, and one in ten more through the
# wasm; CONFIGS configurations and FILES plugin files that nobody would write. `make test` runs a few
# thousand and a few hundred. HOOKGATE_SEED=... draws the same files again, HOOKGATE_FUZZ_FROM=... begins
# at a later one.
CONFIGS ?= 1000000
FILES ?= 100000
fuzz: N = 10000000
fuzz: SHARE = $(shell expr $(N) / $(words $(PLUGINS)))
fuzz: build
	HOOKGATE_FUZZ_CONFIG=$(CONFIGS) HOOKGATE_FUZZ_FILES=$(FILES) \
		HOOKGATE_FUZZ_WASM=$(shell expr $(SHARE) / 10) $(CARGO) test --release --locked -p hookgate-tests \
		--test scenarios fuzz -- --nocapture
	HOOKGATE_FUZZ=$(SHARE) $(CARGO) test --release --locked --workspace --exclude hookgate \
		--exclude hookgate-tests --exclude hookgate-bench nothing_breaks_under_fuzz -- --nocapture > target/fuzz.log
	@awk 'match($$0, /fuzz: [0-9]+/) { n += substr($$0, RSTART + 6, RLENGTH - 6) } \
		END { print "fuzz: " n " requests, and nothing broke" }' target/fuzz.log

# Nothing else should run meanwhile. BENCH="--quick" or "--only NAME" for less. The native twin of a
# plugin's code is built apart, like the plugins' tests.
bench: build
	$(CARGO) build --release --locked -p hookgate-bench
	$(CARGO) build --release --locked -p hookgate-stripe --example claim
	target/release/hookgate-bench $(BENCH)

# This tree against the revision REV: five pairs of 30 s a scenario, interleaved, and the ratios of
# their figures. COMPARE="--only NAME", "--pairs N", "--seconds N" for less. Fails if a figure is worse
# by more than its spread.
bench-compare: build
	@test -n "$(REV)" || { echo "make bench-compare: say which revision with REV=..." >&2; exit 1; }
	base=$$(tests/bench/revision "$(REV)") && head=$$(tests/bench/revision work) && \
		"$$head/release/hookgate-bench" compare --base "$$base" --head "$$head" $(COMPARE)

# With default limits: hung endpoints, slow and deaf peers, forged megabytes, plugins that never return.
# ISOLATION="--only NAME", "--pairs N", "--seconds N" for less. Fails if a bound does not hold.
bench-isolation: build
	$(HOOKGATE) plugin build tests/bench/spinner --out target/test-plugins
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench isolation $(ISOLATION)

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps --document-private-items

# What deny.toml says of the dependencies. Advisories come from a database that cargo-deny clones; where
# it can't be reached, everything else is checked, and the last line says what was not.
deny:
	@$(CARGO) deny --version >/dev/null 2>&1 || { echo "make deny: cargo-deny is missing:" \
		"install it with \`cargo install --locked cargo-deny\`" >&2; exit 1; }
	$(CARGO) deny --locked check bans licenses sources
	@if $(CARGO) deny --locked fetch db; then \
		$(CARGO) deny --locked check --disable-fetch advisories; \
	else \
		echo "make deny: the advisory database can't be reached: known vulnerabilities were NOT" \
			"checked; bans, licences and sources are fine" >&2; \
	fi

# The rust-version of Cargo.toml. No toolchain is installed for it: that is the developer's to decide.
MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
msrv:
	@for toolchain in $(MSRV) $(MSRV).0; do \
		if rustup run $$toolchain rustc --version 2>/dev/null; then \
			exec rustup run $$toolchain cargo check --release --locked --workspace --all-targets; \
		fi; \
	done; \
	echo "make msrv: Rust $(MSRV) is not installed: \`rustup toolchain install $(MSRV)\`" >&2; exit 1

clean:
	$(CARGO) clean
