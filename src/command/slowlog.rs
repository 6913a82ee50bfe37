//! SLOWLOG: which commands took long.

use super::spec::Spec;

pub(super) const COMMANDS: &[Spec] = &[];
