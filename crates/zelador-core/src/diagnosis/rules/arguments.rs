//! Command lines that a program does not take.

use super::{Rule, rule};
use crate::diagnosis::Cause::BadConfig;

pub const RULES: &[Rule] = &[
    rule(
        BadConfig,
        1.15,
        &[
            "unexpected argument",
            "flag provided but not defined",
            "the following arguments are required",
            "unrecognized arguments",
            "unrecognized option",
            "bad option",
            "invalid option",
            "unknown option",
            "unknown argument",
            "missing required argument",
            "no such option",
            "invalid flag",
            "unknown flag",
            "unknown shorthand flag",
            "requires an argument",
            "requires a value",
            "invalid value '",
            "bad flag syntax",
            "illegal option",
            "usage error",
            "error: found argument",
            "got unexpected extra argument",
            "invalid argument: --",
        ],
    ),
    rule(
        BadConfig,
        1.15,
        &[
            "invalid maximum heap size",
            "could not create the java virtual machine",
            "unrecognized vm option",
            "invalid initial heap size",
            "is not allowed in node_options",
        ],
    ),
];
