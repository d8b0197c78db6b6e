//! zelador
fn main() {}
