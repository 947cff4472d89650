# `make` prints this help. The two commands of the README are `make run` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TOOLS := bin/tools
export TOOLS
GO_LDFLAGS := -s -w
# Google's storage client without the discovery of a transport that this project does not use: 13 MB less.
GO_TAGS := disable_grpc_modules

.PHONY: help
help: ## Print this help
	@echo "Heliograph: an open, self-hosted remote-rendering service"; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Install what is needed, build, and start the service with a sample model to look at
	bin/heliograph serve --dev --demo

.PHONY: build
build: deps web ## Build bin/heliograph (static) and bin/heliograph-worker
	CGO_ENABLED=0 go build -trimpath -tags "$(GO_TAGS)" -ldflags "$(GO_LDFLAGS)" -o bin/heliograph ./cmd/heliograph
	go build -trimpath -ldflags "$(GO_LDFLAGS)" -o bin/heliograph-worker ./cmd/heliograph-worker

.PHONY: test
test: test-deps tools check-generated lint web-test build ## Install what is needed and run every check and test
	HELIOGRAPH_BIN_DIR="$(CURDIR)/bin" scripts/go-test.sh

.PHONY: lint
lint: tools web ## Static checks: golangci-lint (with go vet), buf, TypeScript
	$(TOOLS)/golangci-lint run ./...
	$(TOOLS)/buf lint api/stream
	cd web && npm run --silent lint

.PHONY: generate
generate: tools deps ## Regenerate code from api/ (OpenAPI and protobuf)
	api/generate.sh
	api/stream/generate.sh
	web/generate.sh

.PHONY: check-generated
check-generated: generate ## Fail when generated code is not what api/ says
	scripts/check-generated.sh

.PHONY: web
web: deps ## Build the web pages that bin/heliograph embeds
	scripts/web-build.sh

.PHONY: web-test
web-test: web ## Unit tests of the TypeScript packages
	cd web && npm test --silent

.PHONY: bench
bench: build ## Run the benchmarks of docs/benchmarks.md and print their tables
	HELIOGRAPH_BIN_DIR="$(CURDIR)/bin" test/bench/run.sh

.PHONY: fuzz
fuzz: ## Fuzz every decoder for FUZZTIME (default 30s) each
	scripts/fuzz.sh

.PHONY: deps
deps: ## Install the packages that building and running need
	scripts/deps.sh build

.PHONY: test-deps
test-deps: ## Install the packages that the tests need as well
	scripts/deps.sh all

.PHONY: tools
tools: ## Build the pinned developer tools of tools/go.mod
	scripts/tools.sh

.PHONY: clean
clean: ## Remove build results
	rm -rf bin internal/webui/dist/{assets,viewer,index.html,favicon.svg,.stamp} web/node_modules test/storage/azurite/node_modules
