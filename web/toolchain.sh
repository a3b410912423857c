# Functions for this folder's scripts, to be called in the repository's root: cargo for wasm32, wasm-bindgen's tools.

# Prints what is wrong and exits.
fail() {
    echo "$0: $*" >&2
    exit 1
}

# Installs those of the Debian packages $2, $3, ... that are missing. $1 says what they are for.
debian_packages() {
    purpose=$1
    shift
    absent=
    for package; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || absent="$absent $package"
    done
    [ -n "$absent" ] || return 0
    command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ] || fail "$purpose is needed; on Debian, as root:" \
        "apt-get install --no-install-recommends$absent"
    echo "$0: installing$absent"
    apt-get update -q
    # Without --no-remove apt might remove an installed Rust that conflicts with these packages.
    # shellcheck disable=SC2086
    apt-get install -y -q --no-install-recommends --no-remove $absent || fail "$purpose could not be installed"
}

# Whether cargo on the PATH has wasm32's standard library, as `rustup target add wasm32-unknown-unknown` installs it.
has_wasm_target() {
    library=$(rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null) && [ -d "$library" ]
}

# Runs cargo for wasm32: cargo on the PATH, or Debian's, which builds the standard library too. $1 is its subcommand.
web_cargo() {
    subcommand=$1
    shift
    if has_wasm_target; then
        CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/web} cargo "$subcommand" --target wasm32-unknown-unknown "$@"
        return
    fi
    debian_packages "a Rust for wasm32 (rustup target add wasm32-unknown-unknown)" \
        rustc-web cargo-web rust-web-src lld
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/web} RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1 \
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=/usr/bin/wasm-ld \
        /usr/bin/cargo "$subcommand" -Zbuild-std=std,panic_abort --target wasm32-unknown-unknown "$@"
}

# Puts wasm-bindgen's tools, of the version that Cargo.lock has, on the PATH; builds them if they are not there.
wasm_bindgen_tools() {
    tools=$PWD/target/tools
    version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p;}' Cargo.lock)
    if [ "$("$tools/bin/wasm-bindgen" --version 2>/dev/null)" != "wasm-bindgen $version" ]; then
        command -v cargo >/dev/null || fail "cargo is needed to build wasm-bindgen's tools (https://rustup.rs)"
        cargo install wasm-bindgen-cli --version "$version" --root "$tools"
    fi
    PATH=$tools/bin:$PATH
}
