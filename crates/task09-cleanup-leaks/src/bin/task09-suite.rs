//! The process in which a specimen of this task runs; `task09_cleanup_leaks::run` starts it.

fn main() {
    task09_cleanup_leaks::suite_main();
}
