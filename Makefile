# The two commands of the README are `make run` and `make test`; `make help` lists the rest.
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  := -s -w -X main.version=$(VERSION)
BIN      := bin/redundctl

# Tools are run at a pinned version, from the module cache, and never installed.
GOLANGCI    := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := go run golang.org/x/vuln/cmd/govulncheck@v1.9.0

# Everything is pure Go: without cgo a start is a millisecond shorter and no C compiler is needed.
export CGO_ENABLED = 0

.PHONY: help run build test tools check generate generated fmt vet lint vuln race bench oracle soak fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build, validate the bundled pipelines, run git-sync on a repository made for it, show failover, and back up an example site
	@./$(BIN) validate pipelines
	@sh examples/git-sync/demo.sh "$(CURDIR)/$(BIN)"
	@pm2=$$(go run ./engine/kind/pm2/pm2test/install | sed -n 's/^PM2 for tests: //p'); \
	[ -n "$$pm2" ] || echo "PM2 cannot be fetched by npm: the part of the demonstration that needs it is left out"; \
	sh examples/failover/demo.sh "$(CURDIR)/$(BIN)" "$${pm2:+$$pm2/node_modules/pm2/bin/pm2}"
	@sh examples/site/demo.sh "$(CURDIR)/$(BIN)"

build: ## build bin/redundctl
	@mkdir -p bin
	go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/redundctl

# Many tests wait more than they work, so more of them run at once than there may be cores. `make check` vets. Without tables for
# a debugger a hundred test programs are linked in half the time.
test: ## run every test
	go test -vet=off -ldflags='-s -w' -parallel 4 -timeout 15m ./...

tools: ## fetch what tests use beside Go and Node, which each fetches by itself else: PM2, and the tools of the catalogue
	go run ./engine/kind/pm2/pm2test/install
	node pipelines/tools/install.mjs code
	node pipelines/tools/install.mjs site
	go run github.com/zricethezav/gitleaks/v8@v8.30.1 version
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 -version

check: generated fmt vet lint vuln race ## what a commit must pass
	@echo "check: all passed"

generate: ## write what is derived from the schema: combined schemas, reference pages
	go generate ./...

generated: ## fail when a generated file is not what its source gives
	@before=$$(cat schema/*.json docs/reference/*.md docs/problems.md | cksum); $(MAKE) -s generate; \
	test "$$before" = "$$(cat schema/*.json docs/reference/*.md docs/problems.md | cksum)" || \
	{ echo "generated files were stale and have been written anew: commit them"; exit 1; }

fmt:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "these files are not formatted: run gofmt -w on them"; exit 1; }

vet:
	go vet ./...

lint:
	$(GOLANGCI) run ./...

# The database of vulnerabilities is asked only where it can be reached; that it could not is said.
vuln:
	@$(GOVULNCHECK) ./... > .vuln.out 2>&1; rc=$$?; \
	if grep -qE 'no such host|connection refused|dial tcp|i/o timeout|403 Forbidden' .vuln.out; then \
	  echo "vuln: the vulnerability database cannot be reached from here; not checked"; rc=0; \
	elif [ $$rc -ne 0 ]; then cat .vuln.out; fi; rm -f .vuln.out; exit $$rc

race: ## run every test under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -timeout 20m ./...

bench: build ## print the figures that must hold, as ratios to limits taken in the same run
	go run ./engine/bench

# A module of its own: nothing of act gets into the product. Its tests build bin/redundctl's sources themselves.
oracle: ## compare workflows and expressions with nektos/act (fetched on the first run)
	cd engine/kind/github/oracle && go test -timeout 20m ./...

soak: ## what takes too long for `make test`: long fuzzing and random tests
	./.ci/soak

fuzz: soak

clean: ## remove what was built
	rm -rf bin
