//! COMMAND: what the table says.

use super::spec::Spec;

pub(super) const COMMANDS: &[Spec] = &[];
