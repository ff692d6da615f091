GO ?= go
# Every module of go.work.
ALL = work

.PHONY: test check bench demo soak help
.DEFAULT_GOAL := help

test:   ## everything, on a fresh machine too: installs what is missing, skips nothing silently
	@GO=$(GO) sh .ci/test

check:  ## the quick loop: format, vet, floors, unit tests without the race detector
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet $(ALL)
	$(GO) test -run Floors .
	$(GO) test -short $(ALL)

bench:  ## side by side with the peers, ten minutes: one table, and bench/results.json
	cd bench && $(GO) run . -markdown RESULTS.md

soak:   ## the long runs: demo under each weather, the whole metastable model, fuzzing, more crashes
	@GO=$(GO) sh .ci/soak

demo:   ## a real exchange client against a misbehaving exchange
	$(GO) run ./cmd/relent demo

help:   ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/:/'
