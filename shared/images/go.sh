# For recipes: sets $go to a Go that fetches the Go that a module asks for. Sourced in a scratch folder.

# Whoever calls may be in a Go module or a workspace of their own, and may have chosen another place for programs
# or another machine. This one builds for itself: the engine that gets the program runs here.
export GOFLAGS= GOWORK=off GOOS= GOARCH= GOTOOLCHAIN=auto CGO_ENABLED=0

go=go
case $(go env GOVERSION) in
  go1.[0-9] | go1.[0-9].* | go1.1[0-9]* | go1.20*)
    # As in Debian 12. From 1.21 on Go itself fetches the Go that a program asks for, as a module.
    toolchain=v0.0.1-go1.23.12.$(go env GOHOSTOS)-$(go env GOHOSTARCH)
    go mod download "golang.org/toolchain@$toolchain"
    # A module's files are not executable, and must not be changed.
    cp -r "$(go env GOMODCACHE)/golang.org/toolchain@$toolchain" toolchain
    chmod -R u+rwx toolchain
    go=$PWD/toolchain/bin/go
    unset GOROOT
    ;;
esac
