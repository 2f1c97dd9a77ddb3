# Everything that is built, shown and tested. Each target says what it does and how long its steps take.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Start a cluster of its own and show a session from end to end (CLUSTER=current REGISTRY=… for yours)
	@tests/demo.sh

.PHONY: demo-shell
demo-shell: ## Open a shell in the demo's cluster, with kubectl and helm
	@tests/cluster/enter.sh demo

.PHONY: demo-down
demo-down: ## End the demo's cluster
	@tests/cluster/down.sh demo

.PHONY: test
test: ## Run all checks and tests, those on a real cluster included
	@tests/run.sh

.PHONY: test-all
test-all: ## Run make test, the page in a browser, alerts and dashboard, the plugin's archive, Helm 3, all faults, and the whole lab
	@$(MAKE) --no-print-directory test browser monitoring dist-test helm3 faults lab

.PHONY: monitoring
monitoring: ## Test the alerts with promtool, and the dashboard's queries on a Prometheus that scrapes the operator; 3 minutes
	@tests/monitoring.sh

.PHONY: dist
dist: ## Build the kubectl plugin's archive, its checksum and its krew manifest into dist/
	@deploy/dist.sh dist

.PHONY: dist-test
dist-test: ## Build that archive, install it with krew and run it with kubectl
	@tests/dist.sh

.PHONY: helm3
helm3: ## Test the chart by Helm 3: what it renders, and install, upgrade and uninstall on a cluster of its own; 4 minutes
	@tests/helm3.sh

.PHONY: faults
faults: ## Make everything fail around a session on a cluster of its own, and print the tables; 25 minutes
	@tests/faults.sh

.PHONY: browser
browser: ## Test the page of --output html in a headless Chromium (SCREENSHOTS=FOLDER writes pictures); 3 minutes
	@tests/browser.sh

.PHONY: pictures
pictures: ## Take the README's pictures anew, of the demo's cluster (make demo first)
	@tests/pictures.sh

.PHONY: crds
crds: ## Write the custom resource definition anew from the Rust types
	@UPDATE_CRDS=1 cargo test --quiet --test it crd

.PHONY: bench-latency
bench-latency: ## Measure the time from a log line to its answer in the status, on the demo's cluster (make demo first)
	@cargo bench --quiet --profile dev --bench line_to_status --no-run
	@tests/cluster/enter.sh demo cargo bench --quiet --profile dev --bench line_to_status

.PHONY: bench-operator
bench-operator: ## Measure the operator under 100 sessions at once on a cluster of its own: memory, processor, requests, times; 12 minutes
	@tests/bench-operator.sh

.PHONY: lab
lab: ## Make every fault on the JVMs of this machine and judge what the diagnosis says (LAB_PYPI=1 fetches four more JVMs)
	@lab=$${LAB:-$${TMPDIR:-/tmp}/tlsdebug-lab/$$$$}; tests/lab/run.sh "$$lab" && TLSDEBUG_LAB="$$lab" cargo test --quiet --test it lab:: -- --ignored --nocapture

.PHONY: bench
bench: ## Measure tlsdebug diagnose against grep and wc: times as ratios, peak memory (3 GB of files in the cache folder)
	@tests/bench.sh

.PHONY: fuzz
fuzz: ## Fuzz the diagnosis for TIME seconds (60)
	@fuzz/run.sh $(or $(TIME),60)
