//! The program: arguments → configuration → run.

use std::process::ExitCode;

fn main() -> ExitCode {
    vestibule::command::run(std::env::args_os())
}
