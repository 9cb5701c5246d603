# Each recipe is one line that calls cargo; the logic is in Rust.

# The tests of a task (`just test 07`), or the plain tier of all: nothing but Rust, a C compiler and make.
test *args:
    cargo course test {{args}}

# Grades your tests: `just check 07`, `just check 07 --fault 2`.
check *args:
    cargo course check {{args}}

# The same at each save: `just watch 07`.
watch *args:
    cargo course watch {{args}}

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
