//! What the frames of a trace say, and the source that is printed with them: what the program was about to do.

use super::{Rule, rule};
use crate::diagnosis::Cause::{
    AlreadyRunning, MissingCommand, MissingEnvVar, SyntaxError, UncaughtException,
};

pub const RULES: &[Rule] = &[
    rule(MissingEnvVar, 1.0, &["os.environ["]),
    rule(AlreadyRunning, 1.25, &["fcntl.flock", "lock_nb"]),
    rule(MissingCommand, 1.2, &["system.cmd(\""]),
    rule(SyntaxError, 1.1, &["<<<<<<<", ">>>>>>>"]),
    rule(UncaughtException, 0.45, &["<throw "]),
];
