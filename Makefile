# One command each; the work is done by CMake and by the scripts in tools/. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

JOBS ?= $(shell nproc)
STATE ?= .run/state
MANIFESTS ?= .run/manifests
BENCH_ARGS ?=
MUTANTS_ARGS ?=

# ccache may serve objects of another checkout: paths are made relative, and the precompiled header
# is compared by content. A cold or absent cache only costs time.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
export CCACHE_SLOPPINESS := pch_defines,time_macros,include_file_mtime,include_file_ctime

# A checkout that belongs to another user is listed all the same.
export GIT_CONFIG_COUNT := 1
export GIT_CONFIG_KEY_0 := safe.directory
export GIT_CONFIG_VALUE_0 := $(CURDIR)

PROGRAMS := etcd-operator etcd-guard etcdadm
# The proof's programs; never installed anywhere but in build/bin.
SIM_PROGRAMS := check-model sim
# Of make sim-swarm.
MINUTES ?= 60
SEED ?= 1
# Of make model-deep: MEMBERS/FAULTS/EDITS, hours at most.
MODEL ?= 5/2/1
HOURS ?= 8
configure = cmake --preset $(1) >build/$(1).configure.log || { cat build/$(1).configure.log; exit 1; }

.PHONY: help build programs programs-sim model-deep sim-swarm run stop image package install-testbed etcd test test-full mutants check lint format bench bench-backup bench-kubernetes coverage clean

help: ## this list
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' Makefile

build: programs ## every program, release, stripped into build/bin/ with its debug info beside it
	@ls -l build/bin | awk 'NR > 1 {printf "  %-24s %6.1f MB\n", $$9, $$5 / 1e6}'

programs:
	@tools/setup build
	@mkdir -p build/bin
	@$(call configure,release)
	@ninja -C build/release -j$(JOBS) $(PROGRAMS)
	@for program in $(PROGRAMS); do tools/install-program build/release/bin/$$program build/bin; done

programs-sim: ## the programs of the proof (model checker, simulator), release, into build/bin/
	@tools/setup build
	@mkdir -p build/bin
	@$(call configure,release)
	@ninja -C build/release -j$(JOBS) $(SIM_PROGRAMS)
	@for program in $(SIM_PROGRAMS); do tools/install-program build/release/bin/$$program build/bin; done

model-deep: programs-sim ## the model checker for hours: make model-deep MODEL=5/2/1 HOURS=8
	@IFS=/ read -r members faults edits <<<"$(MODEL)"; \
	 build/bin/check-model --members $$members --faults $$faults --edits $$edits \
	   --seconds $$(( $(HOURS) * 3600 )) --memory 12 --threads $(JOBS) --keep-going

sim-swarm: programs-sim ## the simulator on all cores for some time: make sim-swarm MINUTES=60 SEED=1000000
	@build/bin/sim --seed $(SEED) --steps 1000 --minutes $(MINUTES) --jobs $(JOBS) --keep-going

run: programs ## build, fetch the etcd that is needed, then run the clusters of .run/manifests here
	@tools/run --state $(STATE) --manifests $(MANIFESTS)

stop: ## stop the members that `make run` started; their data stays in .run/
	@if [ ! -x build/bin/etcd-operator ]; then echo "nothing was built, so nothing runs"; exit 0; fi; \
	 if [ ! -d $(STATE) ]; then echo "nothing ever ran here"; exit 0; fi; \
	 build/bin/etcd-operator stop --all --state $(STATE)

image: programs ## the operator's image as an OCI archive in build/image/, without Docker; prints its size
	@tools/image

package: programs ## etcdadm as a .deb and a tarball in build/package/, without packaging tools
	@tools/package

install-testbed: image ## the operator onto the testbed that is up (testbed/up --nodes 3)
	@testbed/load-image build/image/etcd-operator-*.oci.tar
	@testbed/kubectl apply -f deploy/install.yaml
	@testbed/kubectl -n etcd-operator-system rollout status deployment/etcd-operator --timeout=120s

etcd: programs ## fetch the etcd versions that the tests use into the local cache
	@for version in $$(tools/etcd-versions $(EO_DEPTH)); do \
	   build/bin/etcd-operator fetch-etcd $$version; done

test: ## everything at bounded depth, with a ledger; what CI runs
	@tools/ledger test --limit 74

test-full: ## one area at full depth: make test-full AREA=core, proof, kubernetes, backup or etcdadm
	@tools/ledger full --area $${AREA:?say which area: make test-full AREA=core}

mutants: ## faults of other operators, put into ours: what finds each (docs/proof.md)
	@tools/setup build test
	@mkdir -p build
	@$(call configure,mutants)
	@ninja -C build/mutants -j$(JOBS) mutants
	@tools/mutants run $(MUTANTS_ARGS)

check: ## unit tests, scenarios, properties and tidy: for every few minutes of work
	@tools/ledger check

lint: ## layout, tidy, clang-tidy, GCC 12; of every file (FILES=changed: of the changed ones)
	@tools/setup build test lint
	@mkdir -p build
	@$(call configure,dev)
	@tools/lint $(or $(FILES),all)

format: ## lay out every source file
	@tools/setup lint
	@git ls-files -co --exclude-standard '*.cc' '*.h' | xargs -r clang-format-19 -i

bench: programs ## the figures of docs/benchmarks.md, measured on this machine
	@tools/setup build test
	@tools/bench $(BENCH_ARGS)

bench-backup: programs etcd ## backups and restores beside etcd's own tools: minutes, and gigabytes of disk
	@tools/setup build test
	@tools/object-stores || true
	@cmake --preset bench >/dev/null
	@ninja -C build/bench bolt_bench merge_bench gcs-fake >/dev/null
	@tools/bench-backup $(BENCH_ARGS)

bench-kubernetes: image etcd ## what a person waits for on a Kubernetes of three nodes: about 10 minutes
	@tools/setup testbed
	@testbed/with --nodes 3 --etcd 3.5.12,3.5.33,3.6.16 bench/kubernetes_bench.py $(BENCH_ARGS)

coverage: ## line coverage of the planner by its own tests
	@tools/setup build test
	@tools/coverage

clean: ## remove everything that was built; never touches .run/ (your clusters and their data)
	@rm -rf build
