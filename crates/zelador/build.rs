//! How the executable is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if packs_relocations() {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    if folds_identical_code() {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}

/// Functions that are the same instruction by instruction, of which types that differ only in name have
/// many, stand once in a release: where the linker is the compiler's own, which knows how (Rust 1.90).
/// Nobody compares the addresses of functions here.
fn folds_identical_code() -> bool {
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    let is_own = of("RUSTC_LINKER").is_empty() && !of("CARGO_ENCODED_RUSTFLAGS").contains("link");
    let target = of("TARGET");
    is_own
        && of("PROFILE") == "release"
        && target == "x86_64-unknown-linux-gnu"
        && of("HOST") == target
}

/// Packed, the addresses that the loader corrects take some 30 KiB instead of 2 MiB. Loaders know that
/// since glibc 2.36, so it is done where the one of this host does, and never for another kind of host.
fn packs_relocations() -> bool {
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    of("HOST") == of("TARGET") && of("CARGO_CFG_TARGET_ENV") == "gnu" && glibc() >= Some((2, 36))
}

#[cfg(target_env = "gnu")]
fn glibc() -> Option<(u32, u32)> {
    unsafe extern "C" {
        safe fn gnu_get_libc_version() -> *const std::ffi::c_char;
    }
    // SAFETY: a constant text of the library.
    let version = unsafe { std::ffi::CStr::from_ptr(gnu_get_libc_version()) };
    let (major, minor) = version.to_str().ok()?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(not(target_env = "gnu"))]
fn glibc() -> Option<(u32, u32)> {
    None
}
