# Hookgate's commands for developers. Start with `make demo`; `make help` lists all.

CARGO    ?= cargo
HOOKGATE := target/release/hookgate
PLUGINS  := $(patsubst plugins/%/Cargo.toml,plugins/%,$(wildcard plugins/*/Cargo.toml))
EXAMPLES := $(patsubst %/Cargo.toml,%,$(wildcard examples/*/Cargo.toml))

.PHONY: help setup build dist package package-test container-test docs demo languages browser test \
	crash flips mutants fuzz fuzz-api bench bench-compare bench-endpoints bench-isolation bench-languages bench-lists bench-owed \
	bench-pages bench-replay bench-restart bench-shapes bench-plugins bench-canary bench-try \
	bench-telemetry lint deny msrv clean

help:
	@echo "make demo   builds everything and shows the whole path of an event"
	@echo "make test   runs all tests"
	@echo "make build  builds the gateway to $(HOOKGATE), the plugins to target/plugins/"
	@echo "make dist   puts the files to install into target/dist/: the stripped gateway and its"
	@echo "            debug information"
	@echo "make package  builds a Debian package of these and of all plugins into target/package/"
	@echo "make package-test  installs it into a fresh root, and over a package of an older commit, and"
	@echo "            lives with it under load (needs root and a Debian; OLD=... names the commit)"
	@echo "make container-test  builds the image of Containerfile and runs it (needs podman or docker)"
	@echo "make docs   writes the table of providers in plugins/README.md, and docs/openapi.json"
	@echo "make lint   checks formatting, clippy and API docs; warnings are errors"
	@echo "make deny   checks the dependencies for licences, sources and known vulnerabilities"
	@echo "            (needs cargo-deny)"
	@echo "make msrv   type-checks everything with the oldest Rust that Cargo.toml promises"
	@echo "make languages  builds the handlers in JavaScript and Python that the tests load (needs Node"
	@echo "            with npm, and Python)"
	@echo "make browser  uses the dashboard in Chromium, and looks at each page of it in both schemes"
	@echo "            and at two widths; as root it installs Chromium (needs npm)"
	@echo "make crash  kills the gateway under load 1,000 times (N=1000) and looks for lost or"
	@echo "            repeated work"
	@echo "make flips  flips 1,000 single bits (N=1000) in copies of a store, and looks for anything"
	@echo "            altered or lost"
	@echo "make mutants  breaks a copy of the gateway in one place at a time, its store and the guard of"
	@echo "            its way out, and fails if no test finds it (needs Python; ONLY=store or"
	@echo "            ONLY=egress); goes on where it was interrupted"
	@echo "make fuzz   sends 10 million malformed requests (N=10000000), split across the providers,"
	@echo "            and measures the slowest unverified MiB of each; reads a million damaged"
	@echo "            configurations (CONFIGS=1000000) and 100,000 plugin files (FILES=100000)"
	@echo "make fuzz-api  calls the admin port of gateways 500,000 times (N=500000), by their OpenAPI"
	@echo "            document and against it (needs Python); goes on where it was interrupted"
	@echo "make bench  measures the gateway on this machine, and says which goals it meets"
	@echo "make bench-compare REV=...  compares this tree with another revision"
	@echo "make bench-isolation  measures what well-behaved sources and endpoints keep beside hostile"
	@echo "            ones, in about 25 minutes"
	@echo "make bench-languages  measures a handler in JavaScript and one in Python, in a minute"
	@echo "make bench-endpoints  measures 500 endpoints of which 50 hang and 50 fail, and 10,000"
	@echo "            of 1,000 tenants, in about half an hour"
	@echo "make bench-owed  measures a gateway that owes 10 million deliveries to a dead endpoint"
	@echo "make bench-replay  measures a bulk replay of a million dead deliveries beside live ones, with"
	@echo "            kill -9 in the middle"
	@echo "make bench-restart  measures how long a store of 4 GiB takes to be ready after kill -9"
	@echo "make bench-lists  measures lists of events by each filter, with 10 million events stored"
	@echo "make bench-pages  measures the pages of the dashboard, with 10 million events stored, and"
	@echo "            what they cost the events that come in"
	@echo "make bench-shapes  measures what a commit and a start cost in the shapes that the store's"
	@echo "            log could have"
	@echo "make bench-plugins  measures starts with thirty plugins, and a handler that is replaced"
	@echo "            under 5,000 runs a second"
	@echo "make bench-try  measures a rehearsal of a handler over 100,000 events beside live ones"
	@echo "make bench-telemetry  measures what traces, metrics and a log cost those who send"
	@echo "make bench-canary  measures how soon a canary is dropped that fails more, in twenty trials"

# Installs compilers that are missing. `hookgate plugin build` finds the wasm compiler itself.
setup:
	@./setup

build: setup
	$(CARGO) build --release --locked -p hookgate
	$(HOOKGATE) plugin build $(PLUGINS)

# Never strips cargo's own output: cargo would believe that it is unchanged. With `hookgate.debug`
# beside it, the gateway writes backtraces with files and lines, without it with names only. cargo's
# split-debuginfo can't do this: it leaves the line tables in the program, and stripping removes
# them.
OBJCOPY ?= objcopy
# The first line of the log has the commit. Only here: each other build would begin anew with each
# commit.
dist: export HOOKGATE_COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
dist: build
	mkdir -p target/dist
	$(OBJCOPY) --only-keep-debug --compress-debug-sections=zlib $(HOOKGATE) target/dist/hookgate.debug
	cd target/dist && $(OBJCOPY) --strip-debug --add-gnu-debuglink=hookgate.debug \
		../../$(HOOKGATE) hookgate

# Asks cargo for the licences of the libraries, and Python to list them. deploy/README.md says what
# is in the package.
package: dist
	CARGO="$(CARGO)" deploy/debian/build

# The older gateway is by default the one of the commit that the store was finished with. Building
# it leaves target/release/hookgate as it was then, so this one is built again.
OLD ?= 652b7f6
package-test: package
	old=$$(CARGO="$(CARGO)" tests/bench/revision $(OLD)) && \
		$(CARGO) build --release --locked -p hookgate && tests/package/run --old "$$old"

container-test:
	tests/package/container

# Writes the table of providers and the OpenAPI document. A test fails if either is out of date.
docs: build
	$(HOOKGATE) openapi > docs/openapi.json
	$(HOOKGATE) provider list --markdown > target/providers.md
	sed -i -e '/^<!-- providers -->$$/,/^<!-- end -->$$/{//!d}' \
		-e '/^<!-- providers -->$$/r target/providers.md' plugins/README.md

demo: build
	$(HOOKGATE) demo

# Installs componentize-js from npm and componentize-py from PyPI into target/languages, once, and
# builds only what has changed. Exits with 3 where they can't be installed.
languages:
	tests/languages/build

# Installs Debian's chromium and its driver, if run by root, and axe-core from npm into
# target/browser, once; exits with 3 where it can't. The pictures of all pages are in
# target/browser/shots.
browser: build
	tests/browser/setup
	CI=1 $(CARGO) test --release --locked -p hookgate-tests --test scenarios browser:: -- --nocapture

# The guest is a plugin that misbehaves on command, the prover one that claims whatever it is told
# to; only tests load them and the examples. The crates that link wasmtime have a command of their
# own, because the plugins' build macros select other features of wasmtime's dependencies: one
# command for both would build wasmtime twice. The last command makes about 2,000 calls of the admin
# port within a minute; where there is no Python, or no network to install Schemathesis from, it
# says so and passes. So do those that build handlers in other languages and install a browser.
test: build
	$(HOOKGATE) plugin build tests/guest tests/prover --out target/test-plugins
	$(HOOKGATE) plugin build $(EXAMPLES) --out target/examples
	tests/languages/build --if-possible
	tests/browser/setup --if-possible
	$(CARGO) test --release --locked -p hookgate -p hookgate-tests -p hookgate-bench
	$(CARGO) test --release --locked --workspace --exclude hookgate --exclude hookgate-tests \
		--exclude hookgate-bench
	tests/fuzz-api/run --short

# Kills the gateway N times. HOOKGATE_SEED=... repeats a run, as far as timing allows.
N ?= 1000
crash: build
	HOOKGATE_CRASH_CYCLES=$(N) $(CARGO) test --release --locked -p hookgate-tests --test scenarios \
		what_was_answered_survives_kill_9 -- --nocapture

# N bits each of the volumes, of what a start reads of them, and of the rows. HOOKGATE_SEED=... and
# HOOKGATE_FLIPS_FROM=... repeat a run, or go on with one.
flips:
	HOOKGATE_FLIPS=$(N) $(CARGO) test --release --locked -p hookgate a_flipped_bit -- --nocapture

# Builds the host's tests once more into target/mutants, with all mutants of tests/mutants in them.
# ONLY=egress runs the mutants of this folder alone, MUTANTS="NAME NAME" those of these names;
# `tests/mutants/run --list` lists all.
mutants:
	CARGO="$(CARGO)" $${PYTHON:-python3} tests/mutants/run $(if $(ONLY),--only $(ONLY)) $(MUTANTS)

# N malformed requests, split across the providers, and N/10 more through their wasm; CONFIGS
# damaged configurations and FILES damaged plugin files. `make test` runs a few thousand requests
# and a few hundred files. HOOKGATE_SEED=... repeats the files, HOOKGATE_FUZZ_FROM=... starts at a
# later one.
CONFIGS ?= 1000000
FILES ?= 100000
fuzz: N = 10000000
fuzz: SHARE = $(shell expr $(N) / $(words $(PLUGINS)))
fuzz: build
	HOOKGATE_FUZZ_CONFIG=$(CONFIGS) HOOKGATE_FUZZ_FILES=$(FILES) \
		HOOKGATE_FUZZ_WASM=$(shell expr $(SHARE) / 10) $(CARGO) test --release --locked \
		-p hookgate-tests --test scenarios fuzz -- --nocapture
	HOOKGATE_FUZZ=$(SHARE) $(CARGO) test --release --locked --workspace --exclude hookgate \
		--exclude hookgate-tests --exclude hookgate-bench nothing_breaks_under_fuzz \
		-- --nocapture > target/fuzz.log
	@awk 'match($$0, /fuzz: [0-9]+/) { n += substr($$0, RSTART + 6, RLENGTH - 6) } \
		END { print "fuzz: " n " requests, and nothing broke" }' target/fuzz.log

# N calls by Schemathesis, which tests/fuzz-api/run installs from PyPI into target/fuzz-api. The run
# is made of portions of a few thousand calls, as many at a time as there are processors; what is
# done stands in target/fuzz-api/progress.json, and an interrupted run of the same build goes on.
# SEED=... repeats a run, SEED=... PORTION=... one portion of it.
fuzz-api: N = 500000
fuzz-api: build
	CALLS=$(N) tests/fuzz-api/run

# Run nothing else meanwhile. BENCH="--quick" or BENCH="--only NAME" measures less, "--rounds N" more
# often. Fails if all is measured and a goal of tests/bench/src/goals.rs is missed. BENCH=breakdown
# says instead what an event costs, by thread, by call of the system and by commit. The native copy
# of a plugin's code is built by its own command, for the same reason as the plugins' tests.
bench: build
	$(CARGO) build --release --locked -p hookgate-bench
	$(CARGO) build --release --locked -p hookgate-stripe --example claim
	target/release/hookgate-bench $(BENCH)

# Compares this tree with the revision REV, or with each of several (REV="A B"): five interleaved
# pairs of 30 s for each scenario, and the ratios of their figures. COMPARE="--only NAME",
# "--pairs N" or "--seconds N" measures less; with "--one-benchmark" this tree's benchmark measures
# all of them, also by scenarios that the others' lack. Fails if a figure is worse by more than its spread.
bench-compare: build
	@test -n "$(REV)" || { echo "make bench-compare: name a revision with REV=..." >&2; exit 1; }
	set -e; bases=; for rev in $(REV); do \
		bases="$$bases --base $$(tests/bench/revision "$$rev")"; done; \
		head=$$(tests/bench/revision work); \
		"$$head/release/hookgate-bench" compare $$bases --head "$$head" $(COMPARE)

# With default limits: endpoints that hang, peers that send or read slowly, forged megabytes,
# plugins that do whatever one can do wrong. ISOLATION="--only NAME", "--pairs N" or "--seconds N"
# measures less. Fails if a limit does not hold.
bench-isolation: build
	$(HOOKGATE) plugin build tests/bench/spinner --out target/test-plugins
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench isolation $(ISOLATION)

# One thread, outside of a gateway. LANGUAGES="--calls 500" takes half a minute, most of which
# compiles the two. Fails if the bar does not hold.
bench-languages: build languages
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench languages $(LANGUAGES)

# With default limits, and a rate limit for the endpoints that recover. ENDPOINTS="--only NAME"
# (hung-endpoints, tenants), "--pairs N", "--seconds N" or "--tenants N" measures less. Fails if a
# bar does not hold.
bench-endpoints: build
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench endpoints $(ENDPOINTS)

# The five below fill a store, run the gateway on it, print each figure with its bar and PASS or
# FAIL, and fail if a bar does not hold. "--data FOLDER" keeps the store for the next run, or fills
# it further. OWED="--works 300000 --pairs 1 --seconds 15 --kills 1" takes two minutes.
bench-owed: build
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench owed $(OWED)

# While 500 events/s come in. REPLAY="--works 200000 --pairs 1 --seconds 5" takes two minutes, with
# "--rate N" the replay has that rate.
bench-replay: build
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench replay $(REPLAY)

# With nothing of the store in memory. RESTART="--gib 0.25 --kills 2" takes two minutes.
bench-restart: build
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench restart $(RESTART)

# While 1,000 events/s come in. LISTS="--events 300000 --queries 20 --seconds 60" takes two minutes.
bench-lists: build
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench lists $(LISTS)

# While 1,000 events/s come in. PAGES="--events 300000 --pairs 1 --seconds 20" takes two minutes. A
# store of bench-lists in "--data FOLDER" serves too.
bench-pages: build
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench pages $(PAGES)

# Writes up to 4 GiB for each shape. SHAPES="--only NAME", "--mib 256,1024", "--kib 4" or "--folder
# FOLDER" (a disk to measure) changes what is measured.
bench-shapes:
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench shapes $(SHAPES)

# BENCH_PLUGINS="--only NAME" (starting, swapping), "--starts N", "--pairs N" or "--seconds N"
# measures less. "--together 1" posts each event by itself. Fails if a bar does not hold.
bench-plugins: build
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench plugins $(BENCH_PLUGINS)

# Forty canaries, one after the other. CANARY="--trials N" or "--runs N" measures less. Fails if a bad
# one is not dropped within 500 runs, or an equal one is.
bench-canary: build
	$(HOOKGATE) plugin build tests/guest --out target/test-plugins
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench canary $(CANARY)

# While 1,000 events/s come in. TRY="--events 20000 --pairs 1 --seconds 5" takes a minute. Fails if a
# seeded difference is missed, or if anything is written.
bench-try: build
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench try $(TRY)

# At 256 connections that send as fast as they can. TELEMETRY="--against PROGRAM" also compares with
# the gateway of an older revision, both without telemetry; "--pairs 1 --seconds 5" takes half a
# minute.
bench-telemetry: build
	$(CARGO) build --release --locked -p hookgate-bench
	target/release/hookgate-bench telemetry $(TELEMETRY)

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps \
		--document-private-items

# Checks the dependencies by the rules in deny.toml. Known vulnerabilities are in a database that
# cargo-deny clones; if it is unreachable, the other checks run, and the last line says what is
# missing.
deny:
	@$(CARGO) deny --version >/dev/null 2>&1 || { echo "make deny: cargo-deny is missing:" \
		"install it with \`cargo install --locked cargo-deny\`" >&2; exit 1; }
	$(CARGO) deny --locked check bans licenses sources
	@if $(CARGO) deny --locked fetch db; then \
		$(CARGO) deny --locked check --disable-fetch advisories; \
	else \
		echo "make deny: the advisory database is unreachable: known vulnerabilities were NOT" \
			"checked; bans, licences and sources are fine" >&2; \
	fi

# Uses the rust-version of Cargo.toml. Never installs a toolchain: the developer decides that.
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
