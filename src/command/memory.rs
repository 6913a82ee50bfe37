//! MEMORY: what things take.

use super::spec::Spec;

pub(super) const COMMANDS: &[Spec] = &[];
