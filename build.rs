//! Tells cargo that the embedded migrations are part of the program: a new file rebuilds it.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
