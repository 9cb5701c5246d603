//! Your checks of a manual. The README lists the requirements; `cargo course check task29` says which wrong manuals get past them.

use task29_harness_docs::Manual;

/// A beginning: rustdoc can read it. What does it say when it is asked to look for more?
#[test]
fn rustdoc_reads_the_manual() {
    let manual = Manual::open();

    assert_eq!(manual.rustdoc(&["--cap-lints", "allow"]), Vec::<String>::new());
}

// Still to be written, a test a requirement:
//   R1  manual.rustdoc(&[…]): which lint finds undocumented items, and what silences the lint?
//   R2  manual.examples(): the outcome of each, and which blocks are not Rust to rustdoc
//   R3  manual.rustdoc(&[…]) again
//   R4  manual.functions(): what they return, and what their docs say
//   R5  manual.constants(): their values, and the numbers in the docs
//   R6  manual.examples(): what is hidden
//   R7  manual.first_test(code, Harness::Sound), and on Harness::Broken
