//! DEBUG: for tests.

use super::spec::Spec;

pub(super) const COMMANDS: &[Spec] = &[];
