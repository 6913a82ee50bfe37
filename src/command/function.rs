//! FUNCTION: as for a server without functions.

use super::spec::Spec;

pub(super) const COMMANDS: &[Spec] = &[];
