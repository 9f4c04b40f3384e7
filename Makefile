# make build       the commands, into bin/
# make test        everything that must hold; ten minutes on two cores
# make demo        real clients under real policies, no network needed
# make test-peers  against other implementations: OCI registry, OpenTelemetry, gRPC, Chromium, Prometheus
# make soak        the same as make test, for longer where it matters
# make test-seed   the commands of the product's first document, as written there
# make bench       measurements, with nothing asserted
# make lint        golangci-lint, which is built once into .cache/bin
# make fuzz        every fuzz target for FUZZTIME each
# make cover       coverage, into .cache/cover.html
# make install     the commands, into PREFIX/bin

GO       ?= go
PREFIX   ?= $(HOME)/.local
FUZZTIME ?= 20s
BENCH    ?= .
COUNT    ?= 1

TOOLS    := $(CURDIR)/.cache/bin
COMMANDS := openshell openshell-policy openshell-gateway openshell-exec
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X github.com/openshell-policy/openshell/internal/cli.version=$(VERSION)

GOLANGCI_VERSION := v2.15.0

# Tests that compare with stock OPA look for this command.
export OPENSHELL_OPA := $(TOOLS)/opa
# What the kernel must refuse is a failure where the kernel cannot.
export OPENSHELL_REQUIRE_KERNEL ?= 1

.PHONY: all build test vet unit race readme policies fuzz-smoke demo test-seed test-peers soak bench lint fuzz cover install clean
all: build

build:
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ $(COMMANDS:%=./cmd/%)

test: vet unit race readme policies fuzz-smoke

vet:
	$(GO) vet ./...

unit: $(TOOLS)/opa
	$(GO) test -vet=off ./...

# Where goroutines meet. The tables of single requests are left to unit.
MEET := Reload|Watch|Binding|Drain|Readiness|Stream|Records|Admin|Usage|HTTP2$$|HTTP2InClear|H08|H10|F24|F25|F33|Turns|Tokens|Tunnel|Socket|SOCKS$$|Transparent|Binaries|Nothing|Leak|Mask|Identity|Rate
race:
	$(GO) test -vet=off -race -short -run '$(MEET)' ./gateway
	$(GO) test -vet=off -race -short ./rego ./audit ./audit/sink ./cmd/internal/... ./sandboxctl/local/...

# The commands of README.md, as a reader would paste them.
readme: build
	$(GO) run ./hack/readme

# The library, held to what the toolchain asks of any policy.
policies: build
	bin/openshell-policy lint policies/
	bin/openshell-policy fmt --check policies/
	bin/openshell-policy test policies/ --min-coverage 100 --mutate --min-score 95
	bin/openshell-policy prove policies/invariants.yaml policies/

fuzz-smoke:
	hack/fuzz 100x

fuzz:
	hack/fuzz $(FUZZTIME)

demo: build
	$(GO) run ./hack/demo

test-seed:
	$(GO) test -vet=off -count=1 -v -run TestSeed ./cmd/openshell

test-peers: $(TOOLS)/opa build
	cd hack/peers && $(GO) test -count=1 ./...
	cd hack/peers/clients && $(GO) test -count=1 ./...

soak:
	OPENSHELL_SOAK=1 OPENSHELL_AUDIT_KILLS=1000 $(GO) test -vet=off -count=1 -timeout 60m ./audit/... ./gateway/... ./sandboxctl/...

bench:
	@mkdir -p .cache
	$(GO) run ./bench/report -bench '$(BENCH)' -count $(COUNT) -out .cache/bench.txt

lint: $(TOOLS)/golangci-lint
	$(TOOLS)/golangci-lint run ./...

cover:
	@mkdir -p .cache
	$(GO) test -vet=off -coverpkg=./... -coverprofile=.cache/cover.out ./...
	$(GO) tool cover -html=.cache/cover.out -o .cache/cover.html
	$(GO) tool cover -func=.cache/cover.out | tail -1

install: build
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 0755 $(COMMANDS:%=bin/%) $(DESTDIR)$(PREFIX)/bin

clean:
	rm -rf bin

# The opa command of the version in go.mod.
$(TOOLS)/opa: go.mod
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install github.com/open-policy-agent/opa
	@touch $@

# Takes some minutes once.
$(TOOLS)/golangci-lint:
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
