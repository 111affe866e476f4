# Two commands for a newcomer: `make demo` and `make test`.

.PHONY: demo test prove bench lint install-test-tools

demo: ## See it work: emulator, server and clients on this machine
	@cargo build --release --quiet -p tokenward-cli
	@./target/release/tokenward demo

test: ## Everything that must hold before a change lands
	@scripts/test.sh

prove: ## The full lengths: long soaks, many kills, a million seeds, licences
	@scripts/prove.sh

bench: ## Hot paths against nginx on the same cores
	@scripts/bench.sh

lint: ## Format and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
