# Each recipe is one line that calls cargo; the logic is in Rust.

# The plain tier: nothing but Rust, a C compiler and make.
test *args:
    cargo test --workspace {{args}}

# The same tests on real servers.
test-integration *args:
    cargo test --workspace --features integration {{args}}

# Set-up, then both tiers.
test-all *args:
    cargo course test-all {{args}}

# What CI asks of every line.
lint *args:
    cargo course dev lint {{args}}

docs:
    cargo doc --workspace --no-deps --features integration

# What the integration tier needs; `just setup --install` lets it install.
setup *args:
    cargo course setup {{args}}
